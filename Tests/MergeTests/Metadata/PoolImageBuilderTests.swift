import Fixtures
import Foundation
import Testing

@Suite("Fixtures: the pool image builder")
struct PoolImageBuilderTests {
  @Test("the reference CRC-32C implementation produces the published check value")
  func publishedChecksum() {
    #expect(~ReferenceCRC32C.register(over: "123456789".utf8) == 0xE306_9283)
  }

  @Test("the CRC-32C of 4092 zero bytes matches the known value")
  func zeroChecksum() {
    let zeroes = repeatElement(UInt8(0), count: 4092)
    #expect(ReferenceCRC32C.register(over: zeroes) == 0x58CD_A791)
  }

  @Test(
    "an all-zero metadata block of each kind gets the known checksum",
    arguments: [
      (MetadataBlockKind.superblock, 0x58CF_D397 as UInt32), (.node, 0x58CC_7E82),
      (.bitmap, 0x58CE_0B1A), (.metadataIndex, 0x58CF_D54F),
    ])
  func emptyBlock(kind: MetadataBlockKind, checksum: UInt32) {
    #expect(MetadataImage(blockCount: 1).checksum(of: 0, as: kind) == checksum)
  }

  @Test("a superblock with known contents gets the known checksum")
  func knownSuperblock() {
    var superblock = SuperblockEditor()
    superblock.magic = SuperblockEditor.magic
    superblock.version = 2
    superblock.time = 3
    superblock.transactionID = 7
    superblock.heldRoot = 38
    for (index, word) in ([2048, 3, 35, 6] as [UInt64]).enumerated() {
      superblock.block.set(word, at: 64 + 8 * index)
    }
    for (index, word) in ([16_384, 13, 39, 2] as [UInt64]).enumerated() {
      superblock.block.set(word, at: 192 + 8 * index)
    }
    superblock.topLevelRoot = 32
    superblock.detailsRoot = 34
    superblock.dataBlockSectorCount = 128
    superblock.metadataBlockSectorCount = 8
    superblock.metadataBlockCountAtFormat = 16_384
    var image = MetadataImage(blockCount: 1)
    image[0] = superblock.block
    #expect(image.checksum(of: 0, as: .superblock) == 0xBDC4_95B9)
  }

  @Test("a leaf node with known contents gets the known checksum")
  func knownLeaf() {
    var node = NodeEditor()
    node.flags = NodeEditor.leafFlag
    node.blockNumber = 33
    node.entryCount = 2
    node.entryCountMax = 252
    node.valueByteCount = 8
    node.setKey(0, to: 5)
    node.setKey(1, to: 6)
    node.setValue(1, to: ThinMapping(6, 1, time: 3).packed)
    var image = MetadataImage(blockCount: 1)
    image[0] = node.block
    #expect(image.checksum(of: 0, as: .node) == 0x9D86_FE72)
  }

  @Test(
    "the reference checksum matches the one in superblocks that the kernel wrote", .needsZstd,
    arguments: KernelScenario.all)
  func kernelSuperblock(scenario name: String) throws {
    let scenario = try KernelScenario.load(name)
    let folder = try TemporaryFolder()
    let metadata = try scenario.unpackMetadata(into: folder.path)
    let handle = try FileHandle(forReadingFrom: URL(filePath: metadata))
    let bytes = try #require(try handle.read(upToCount: MetadataImage.blockByteCount))
    try handle.close()
    var image = MetadataImage(blockCount: 1)
    image[0] = BlockBytes(bytes: [UInt8](bytes))
    let superblock = SuperblockEditor(block: image[0])
    #expect(superblock.checksum == image.checksum(of: 0, as: .superblock))
  }

  @Test("a built tree has the depth implied by its number of entries per node", arguments: 1...5)
  func depths(depth: Int) {
    var builder = PoolImageBuilder(devices: [ThinDevice(1, .everyThird(count: 1 << depth))])
    builder.leafEntryCount = 2
    builder.internalEntryCount = 2
    #expect(builder.build().held.mapping(of: 1).depth == depth)
  }

  @Test(
    "editing a node repairs the node's checksum unless the test asks to keep it",
    arguments: [true, false])
  func editing(repairing: Bool) {
    var image = PoolImageBuilder(devices: [ThinDevice(1, [ThinMapping(0, 0)])]).build()
    let leaf = image.held.mapping(of: 1).root
    image.editNode(at: leaf, repairingChecksum: repairing) { $0.flags = 3 }
    let isRight =
      NodeEditor(block: image.metadata[leaf]).checksum
      == image.metadata.checksum(of: leaf, as: .node)
    #expect(isRight == repairing)
  }
}
