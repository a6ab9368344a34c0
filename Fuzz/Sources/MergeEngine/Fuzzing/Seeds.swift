internal import Fixtures
internal import Foundation

/// The inputs that fuzzing starts with, made from the test fixtures.
package enum Seeds {
  /// A seed input and the name of its file.
  package struct Seed {
    var name: String
    var bytes: [UInt8]
  }

  /// The environment variable that names the folder to write seeds to.
  private static let variable = "THIN_MERGE_SEEDS"

  /// Writes seeds and ends the process if the environment variable for that is set.
  package static func writeIfAsked(_ make: () throws -> [Seed]) {
    guard let folder = ProcessInfo.processInfo.environment[variable] else { return }
    do {
      let seeds = try make()
      for seed in seeds {
        try Data(seed.bytes).write(to: URL(filePath: folder).appending(path: seed.name))
      }
      print("\(seeds.count) seeds in \(folder)")
    } catch {
      Finding.stop("the seeds cannot be made: \(error)")
    }
    exit(0)
  }

  /// Returns seeds from pools that a kernel made, reduced to a few entries per node, and from pools
  /// made by the image builder.
  package static func metadata(_ memory: FuzzMemory) throws -> [Seed] {
    var seeds: [Seed] = []
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "thin-merge-seeds-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for name in KernelScenario.all {
      let scenario = try KernelScenario.load(name)
      let image = try Data(
        contentsOf: URL(filePath: scenario.unpackMetadata(into: folder.path)),
        options: .alwaysMapped)
      for device in scenario.devices {
        let pool = PoolExcerpt.Pool(deviceID: UInt64(device.devId)) { block in
          let start = block * BlockKind.blockByteCount
          return BlockBytes(bytes: [UInt8](image[start..<start + BlockKind.blockByteCount]))
        }
        seeds += try excerpts(of: pool, "\(name)-\(device.devId)")
      }
    }
    for (name, builder) in builders {
      let image = builder.build()
      for device in builder.devices {
        let pool = PoolExcerpt.Pool(deviceID: device.devID) { image.metadata[$0] }
        seeds += try excerpts(of: pool, "\(name)-\(device.devID)")
      }
    }
    for seed in seeds where !MetadataCase(memory).run(seed.bytes) {
      Finding.stop("the seed \(seed.name) is not accepted")
    }
    return seeds
  }

  private static func excerpts(of pool: PoolExcerpt.Pool, _ name: String) throws -> [Seed] {
    var seeds: [Seed] = []
    for entryCountMax in [2, 6, 40] {
      let excerpt = PoolExcerpt(pool, entryCountMax: entryCountMax, blockCountMax: 60)
      for (variant, choices) in variants(pool).enumerated() {
        let input = MetadataInput(choices: choices, blocks: excerpt.blocks)
        seeds.append(Seed(name: "\(name)-\(entryCountMax)-\(variant)", bytes: input.encoded))
      }
    }
    return seeds
  }

  /// Returns choices for merging one pool onto origins of several sizes, with different ways of
  /// reading the pool.
  private static func variants(_ pool: PoolExcerpt.Pool) -> [[UInt8]] {
    func choices(flags: UInt8, pastEnd: UInt8, sectorCount: UInt32, order: UInt8) -> [UInt8] {
      var writer = ByteWriter()
      for byte in [flags | (pool.isHeld ? 0 : 8), pastEnd, order, 0] { writer.append(byte) }
      writer.append(UInt32(pool.deviceID))
      writer.append(sectorCount)
      writer.append(sectorCount + 8)
      for byte: UInt8 in [4, 0, 100, 127, 0, 0, 0, 0] { writer.append(byte) }
      return writer.bytes
    }
    return [
      choices(flags: 64 | 16, pastEnd: 0, sectorCount: 0, order: 0),
      choices(flags: 32 | 16, pastEnd: 1, sectorCount: 60_001, order: 7),
      choices(flags: 16, pastEnd: 2 | 64 | 8, sectorCount: 1000, order: 91),
    ]
  }

  private static var builders: [(String, PoolImageBuilder)] {
    var sound = PoolImageBuilder(devices: [
      Fixtures.ThinDevice(1, .everyThird(count: 40, startingAt: 6)),
      Fixtures.ThinDevice(5, .consecutive(count: 10, dataBlock: 60)),
      Fixtures.ThinDevice(9, sharesTreeOf: 5),
    ])
    sound.leafEntryCount = 4
    sound.internalEntryCount = 3
    sound.time = 3
    var chain = PoolImageBuilder(devices: [Fixtures.ThinDevice(1, .consecutive(count: 4))])
    chain.extraRootLevelCount = 9
    var many = PoolImageBuilder(devices: (1...9).map { Fixtures.ThinDevice(UInt64($0)) })
    many.devices[4].mappings = .everyThird(count: 5)
    many.idEntryCount = 2
    many.idInternalEntryCount = 2
    many.placement = .shuffled(seed: 5)
    var inactive = sound
    inactive.holdsMetadataSnapshot = false
    inactive.blockByteCount = 192 << 10
    return [("sound", sound), ("chain", chain), ("many", many), ("inactive", inactive)]
  }
}

/// The blocks of a pool that a merge of one device reads, renumbered and with fewer entries.
struct PoolExcerpt {
  /// The pool that an excerpt is taken from.
  struct Pool {
    var deviceID: UInt64
    var block: (Int) -> BlockBytes
    var isHeld: Bool { live.heldRoot != 0 }
    var live: SuperblockEditor { SuperblockEditor(block: block(0)) }
  }

  private(set) var blocks: [MetadataInput.Block] = []
  private let pool: Pool
  private let entryCountMax: Int
  private let blockCountMax: Int

  init(_ pool: Pool, entryCountMax: Int, blockCountMax: Int) {
    self.pool = pool
    self.entryCountMax = entryCountMax
    self.blockCountMax = blockCountMax
    var superblock = pool.live
    let isHeld = pool.isHeld
    if isHeld { superblock = SuperblockEditor(block: pool.block(Int(superblock.heldRoot))) }
    blocks = [.init(head: [])] + (isHeld ? [.init(head: [])] : [])
    let mappingRoot = copyNode(Int(superblock.topLevelRoot)) { copy, key, value in
      key == copy.pool.deviceID ? UInt64(copy.copyMappings(Int(value))) : value
    }
    superblock.topLevelRoot = UInt64(mappingRoot)
    superblock.detailsRoot = UInt64(copyNode(Int(superblock.detailsRoot)) { $2 })
    superblock.metadataBlockCount = isHeld ? 0 : UInt64(blocks.count)
    blocks[isHeld ? 1 : 0] = Self.block(superblock)
    guard isHeld else { return }
    var live = pool.live
    live.heldRoot = 1
    live.metadataBlockCount = UInt64(blocks.count)
    blocks[0] = Self.block(live)
  }

  private static func block(_ superblock: SuperblockEditor) -> MetadataInput.Block {
    MetadataInput.Block(head: Array(superblock.block.bytes.prefix(368)))
  }

  private mutating func copyMappings(_ block: Int) -> Int {
    copyNode(block, entryCountMax: entryCountMax) { $2 }
  }

  /// Copies a tree and returns the index of the copied root; `leafValue` returns the new value for
  /// each leaf entry.
  private mutating func copyNode(
    _ block: Int, entryCountMax: Int = 252,
    leafValue: (inout PoolExcerpt, UInt64, UInt64) -> UInt64
  ) -> Int {
    let node = NodeEditor(block: pool.block(block))
    let place = blocks.count
    blocks.append(.init(head: []))
    let count = min(Int(node.entryCount), entryCountMax)
    var copied = 0
    let valueByteCount = Int(node.valueByteCount)
    var head = Array(node.block.bytes.prefix(32))
    var values: [UInt8] = []
    for index in 0..<count where copied == 0 || blocks.count < blockCountMax {
      let start = node.valueByteOffset(index)
      var value = Array(node.block.bytes[start..<start + valueByteCount])
      if node.flags == NodeEditor.internalFlag {
        let child = copyNode(
          Int(node.value(index)), entryCountMax: entryCountMax, leafValue: leafValue)
        value.set(UInt64(child), at: 0)
      } else if valueByteCount == 8 {
        value.set(leafValue(&self, node.key(index), node.value(index)), at: 0)
      }
      head += [UInt8](repeating: 0, count: 8)
      head.set(node.key(index), at: 32 + 8 * copied)
      values += value
      copied += 1
    }
    head.set(UInt32(copied), at: 16)
    blocks[place] = MetadataInput.Block(head: head, values: values)
    return place
  }
}
