import Fixtures
import MergeEngine
import Testing

@Suite("In-memory merges: metadata changed after planning")
struct RecycledNodeTests {
  /// Returns a merge of every other block, with a mapping tree of three levels.
  private static func merge(using generator: inout SeededGenerator) -> SimulatedMerge {
    var merge = SimulatedMerge(
      thinBlocks: Array(stride(from: 0, to: 24, by: 2)),
      dataBlocks: Array(0..<12).shuffled(using: &generator), originByteCount: 24 * 65_536,
      transfer: TransferOptions(queueDepth: 4, ioByteCount: 65_536))
    merge.builder.leafEntryCount = 3
    merge.builder.internalEntryCount = 2
    merge.checkpointInterval = .milliseconds(3)
    return merge
  }

  @Test("a reused metadata node stops the merge before any block that the node maps is written")
  func recycled() throws {
    let seed = Seed.current
    var generator = SeededGenerator(seed: seed.value &+ 0x1_3000)
    let merge = Self.merge(using: &generator)
    let image = merge.builder.build()
    let tree = image.held.mapping(of: UInt64(SimulatedMerge.deviceID))
    try #require(tree.depth == 3 && tree.leaves.count == 4)
    for node in tree.levels.joined() {
      for change in Change.allCases {
        let comment: Comment = "block \(node), \(change); \(seed)"
        let harness = MergeHarness(merge, seed: generator.next())
        var changed = image
        change.apply(to: &changed, node, sound: image)
        let start = node * 4096
        let bytes = Array([UInt8](changed.metadata.data)[start..<start + 4096])
        let sound = harness.disk[.metadata].bytes(at: UInt64(start), count: 4096)
        try #require(bytes != sound, comment)

        let first = try harness.run(
          .init(afterPlanning: { harness.disk.put(bytes, on: .metadata, at: UInt64(start)) }))

        try harness.expectNoViolation("\(harness.disk.violation ?? ""): \(comment)")
        #expect(first.end.error?.kind == .stopped, "\(first.end); \(comment)")
        #expect(!first.state.isFinished, comment)
        // Neither the changed leaf's blocks nor any later blocks are written.
        let leaf = tree.leaves.firstIndex(of: node) ?? 0
        let untouched = UInt64(leaf * 3 * 2 * 65_536)
        #expect(harness.disk.originWrites.allSatisfy { $0.end <= untouched }, comment)

        harness.disk.put(sound, on: .metadata, at: UInt64(start))
        try harness.expectMerged(try harness.run(), comment)
      }
    }
  }

  /// The new content of a metadata block that was freed and reused.
  enum Change: CaseIterable {
    /// The same node, with one mapping or child changed and a valid checksum.
    case otherValue
    /// Another leaf of the same tree, with the correct block number.
    case otherNode
    case zeros

    func apply(to image: inout PoolImage, _ node: Int, sound: PoolImage) {
      switch self {
      case .otherValue:
        image.editNode(at: node) { $0.setValue(1, to: $0.value(1) ^ 1 << 24) }
      case .otherNode:
        let leaves = sound.held.mapping(of: UInt64(SimulatedMerge.deviceID)).leaves
        image.metadata[node] = sound.metadata[leaves.last { $0 != node } ?? 0]
        image.editNode(at: node) { $0.blockNumber = UInt64(node) }
      case .zeros:
        for byteOffset in stride(from: 0, to: 4096, by: 8) {
          image.metadata[node].set(0 as UInt64, at: byteOffset)
        }
      }
    }
  }
}
