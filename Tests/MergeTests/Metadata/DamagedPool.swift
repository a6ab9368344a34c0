import Fixtures
import Foundation
import Testing

@testable import MergeEngine

/// One kind of damage that a test applies to a sound pool.
struct Damage: Sendable, CustomTestStringConvertible {
  /// The damaged file or blocks that an error must name.
  enum Culprit: Sendable {
    /// The metadata file and at least one of these blocks, such as the damaged block or its parent.
    case blocks([Int])
    /// The metadata file, with no particular block.
    case metadataFile
    /// The data file of the pool.
    case dataFile
  }

  let name: String
  var pool: PoolImageBuilder = .sound
  var devID = 1
  var options: [String] = []
  let damage: @Sendable (inout PoolImage) -> Culprit

  init(
    _ name: String, pool: PoolImageBuilder = .sound, devID: Int = 1, options: [String] = [],
    damage: @escaping @Sendable (inout PoolImage) -> Culprit
  ) {
    self.name = name
    self.pool = pool
    self.devID = devID
    self.options = options
    self.damage = damage
  }

  var testDescription: String { name }
}

extension PoolImageBuilder {
  /// The size in bytes of the origin in the damage tests.
  static let originByteCount = 8 << 20

  /// The content of the origin before a merge in the damage tests.
  static let origin = SectorContent(source: .origin, seed: 1).bytes(in: 0..<originByteCount)

  /// A sound pool with three devices in its metadata snapshot, the first with a four-level tree.
  static var sound: PoolImageBuilder {
    var builder = PoolImageBuilder(devices: [
      ThinDevice(1, .everyThird(count: 40, startingAt: 6)),
      ThinDevice(5, .consecutive(count: 10, dataBlock: 60)),
      ThinDevice(9, .consecutive(count: 5, startingAt: 50, dataBlock: 100)),
    ])
    builder.leafEntryCount = 4
    builder.internalEntryCount = 3
    builder.dataBlockCount = 128
    builder.time = 3
    builder.transactionID = 7
    return builder
  }

  /// The highest data block that the first device maps.
  var lastDataBlock: Int { Int(devices[0].mappings.map(\.dataBlock).max() ?? 0) }

  /// A pool with enough leaves for more than two planning batches.
  static var manyLeaves: PoolImageBuilder {
    var builder = PoolImageBuilder(devices: [
      ThinDevice(1, .everyThird(count: 2 * BackgroundPlanner.batchLeafCount + 88))
    ])
    builder.dataBlockCount = 1024
    builder.leafEntryCount = 1
    return builder
  }

  /// Returns a pool with one device, whose mapping tree is a chain of single-entry nodes above a
  /// leaf.
  static func chain(depth: Int) -> PoolImageBuilder {
    var builder = PoolImageBuilder(devices: [ThinDevice(1, .consecutive(count: 4))])
    builder.extraRootLevelCount = depth - 1
    return builder
  }
}

extension PoolImage {
  /// The shape of the mapping tree of device 1 in the metadata snapshot.
  var tree: TreeShape { held.mapping(of: 1) }

  /// The block number of the first leaf in the mapping tree of device 1.
  var firstLeaf: Int { tree.leaves[0] }

  /// The block number of the parent of the first leaf in the mapping tree of device 1.
  var firstParent: Int { tree.levels[tree.depth - 2][0] }

  /// Edits the first leaf of device 1, and returns that block as the culprit.
  mutating func damageFirstLeaf(_ edit: (inout NodeEditor) -> Void) -> Damage.Culprit {
    editNode(at: firstLeaf, edit)
    return .blocks([firstLeaf])
  }

  /// Edits the parent of device 1's first leaf, and returns the parent's block as the culprit.
  mutating func damageFirstParent(_ edit: (inout NodeEditor) -> Void) -> Damage.Culprit {
    editNode(at: firstParent, edit)
    return .blocks([firstParent])
  }

  /// Edits a superblock, and returns the culprit: the metadata file for the live superblock, or
  /// else the block of the held copy.
  mutating func damageSuperblock(
    _ which: Superblock = .live, _ edit: (inout SuperblockEditor) -> Void
  ) -> Damage.Culprit {
    editSuperblock(which, edit)
    return which == .live ? .metadataFile : .blocks([blockNumber(of: .held)])
  }

  /// Makes `child` the second child of the first leaf's parent, and returns both blocks as possible
  /// culprits.
  mutating func redirectSecondChild(to child: UInt64) -> Damage.Culprit {
    editNode(at: firstParent) { $0.setValue(1, to: child) }
    return .blocks([firstParent, Int(clamping: child)])
  }
}
