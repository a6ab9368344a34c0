import Fixtures
import Foundation
import Testing

@Suite("Random damage to metadata: refused or harmless, but never a crash", .waitsForPrograms)
struct RandomDamageTests {
  static let rounds = 40

  @Test("a merge is refused if a bit is flipped in any metadata block that it reads")
  func flippedBits() throws {
    let seed = Seed.current
    var generator = seed.generator
    for round in 1...Self.rounds {
      var image = PoolImageBuilder.sound.build()
      let block = try #require(image.blocksReadForDevice1.randomElement(using: &generator))
      let byteOffset = Int.random(in: 0..<MetadataImage.blockByteCount, using: &generator)
      image.flip(
        1 << UInt8.random(in: 0...7, using: &generator), inBlock: block, atByte: byteOffset)
      let comment: Comment = "round \(round): byte \(byteOffset) of block \(block); \(seed)"
      try expectRefusal(of: image, comment)
    }
  }

  @Test(
    "a random value in a node with a valid checksum is either refused or merged, without a crash")
  func nonsenseFields() throws {
    let seed = Seed.current
    var generator = seed.generator
    for round in 1...Self.rounds {
      var image = PoolImageBuilder.sound.build()
      let comment: Comment = "round \(round): \(image.writeNonsense(using: &generator)); \(seed)"
      let pool = try pool(image)
      let merge = try pool.merge(1, ["--past-end", "clip"])
      try #require(
        merge.exitStatus == 0 || merge.exitStatus == 2, "\(merge.standardError)\(comment)")
      if merge.exitStatus == 2 {
        #expect(try pool.originContent() == PoolImageBuilder.origin, comment)
      }
    }
  }

  @Test("a merge is refused if the metadata file is truncated after any of its blocks")
  func cutAnywhere() throws {
    let blockCount = PoolImageBuilder.sound.build().metadata.blockCount
    for remaining in 0..<blockCount {
      var image = PoolImageBuilder.sound.build()
      image.metadataFileByteCount = remaining * MetadataImage.blockByteCount
      try expectRefusal(of: image, "\(remaining) of \(blockCount) blocks")
    }
  }

  /// Writes the pool to disk, and sets it up to run the thin-merge build that has assertions
  /// enabled.
  private func pool(_ image: PoolImage) throws -> PoolOnDisk {
    var pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
    pool.binaryPath = ThinMergeCommand.checkedBinaryPath
    return pool
  }

  private func expectRefusal(of image: PoolImage, _ comment: Comment) throws {
    let pool = try pool(image)
    let refused = try pool.merge(1)
    try #require(refused.exitStatus == 2, "\(refused.standardError)\(comment)")
    #expect(errorLines(refused).count == 1, "\(refused.standardError)\(comment)")
    #expect(try pool.originContent() == PoolImageBuilder.origin, comment)
  }
}

extension PoolImage {
  /// The block numbers of all metadata blocks that a merge of device 1 reads.
  fileprivate var blocksReadForDevice1: [Int] {
    [0, blockNumber(of: .held)] + held.topLevel.blocks + held.details.blocks + tree.blocks
  }

  /// Overwrites a random field of a node that a merge reads, repairs the checksum, and returns a
  /// description of the change.
  fileprivate mutating func writeNonsense(using generator: inout some RandomNumberGenerator)
    -> String
  {
    let nodes = held.topLevel.blocks + held.details.blocks + tree.blocks
    let block = nodes.randomElement(using: &generator) ?? held.topLevel.root
    let node = NodeEditor(block: metadata[block])
    let slot = Int.random(in: 0..<max(1, Int(node.entryCount)), using: &generator)
    let byteOffsets = [4, 8, 16, 20, 24, 32 + 8 * slot, node.valueByteOffset(slot)]
    let byteOffset = byteOffsets.randomElement(using: &generator) ?? 4
    let values: [UInt64] = [
      0, 1, 2, 3, 0xFF, 0x1_0000, 1 << 24, 1 << 31, 1 << 32, 1 << 40, 1 << 48, 1 << 63, .max,
      generator.next(),
    ]
    let value = values.randomElement(using: &generator) ?? 0
    editNode(at: block) { node in
      if (16..<32).contains(byteOffset) || byteOffset == 4 {
        node.block.set(UInt32(truncatingIfNeeded: value), at: byteOffset)
      } else {
        node.block.set(value, at: byteOffset)
      }
    }
    return "\(value) at byte \(byteOffset) of block \(block)"
  }
}
