/// A block of a thin device and the data block that contains its bytes.
package struct ThinMapping: Sendable, Equatable {
  package var thinBlock: UInt64
  package var dataBlock: UInt64
  package var time: UInt32

  package init(_ thinBlock: UInt64, _ dataBlock: UInt64, time: UInt32 = 0) {
    self.thinBlock = thinBlock
    self.dataBlock = dataBlock
    self.time = time
  }

  /// The mapping as stored in a leaf: the data block above 24 bits of time.
  package var packed: UInt64 { dataBlock << 24 | UInt64(time) }
}

/// A thin device of a built pool.
package struct ThinDevice: Sendable {
  package var devID: UInt64
  /// Mappings in order of `thinBlock`.
  package var mappings: [ThinMapping]
  /// Another device with the same mapping tree, as for a snapshot without writes.
  package var sharesTreeOf: UInt64?
  package var transactionID: UInt64
  package var creationTime: UInt32
  package var snapshottedTime: UInt32

  package init(
    _ devID: UInt64, _ mappings: [ThinMapping] = [], sharesTreeOf: UInt64? = nil,
    transactionID: UInt64 = 0, creationTime: UInt32 = 0, snapshottedTime: UInt32 = 0
  ) {
    self.devID = devID
    self.mappings = mappings
    self.sharesTreeOf = sharesTreeOf
    self.transactionID = transactionID
    self.creationTime = creationTime
    self.snapshottedTime = snapshottedTime
  }
}

/// Describes a thin pool and builds its metadata.
package struct PoolImageBuilder: Sendable {
  /// The order of nodes on the metadata device.
  package enum Placement: Sendable {
    case sequential
    case shuffled(seed: UInt64)
  }

  package var blockByteCount = 65_536
  package var dataBlockCount = 256
  /// The size of the metadata device; nil for the size of the trees and a little more.
  package var metadataBlockCount: Int?
  package var devices: [ThinDevice]
  /// The devices of the live trees; nil if the live trees are those of the metadata snapshot.
  package var liveDevices: [ThinDevice]?
  /// True if live devices with unchanged mappings share the metadata snapshot's trees.
  ///
  /// The kernel shares them; otherwise every live tree is a separate one.
  package var sharesUnchangedTrees = false
  package var holdsMetadataSnapshot = true
  package var time: UInt32 = 0
  package var transactionID: UInt64 = 0
  package var placement = Placement.sequential
  package var leafEntryCount = 252
  package var internalEntryCount = 252
  /// The number of single-entry nodes above the root of each device's mapping tree.
  package var extraRootLevelCount = 0
  /// The details entries per leaf; small numbers make deep trees of few devices.
  package var idEntryCount = 252
  package var idInternalEntryCount = 252

  package init(devices: [ThinDevice] = []) { self.devices = devices }

  var mappingWriter: TreeWriter {
    TreeWriter(
      leafEntryCount: leafEntryCount, internalEntryCount: internalEntryCount,
      extraRootLevelCount: extraRootLevelCount)
  }

  var idWriter: TreeWriter {
    TreeWriter(leafEntryCount: idEntryCount, internalEntryCount: idInternalEntryCount)
  }

  /// Builds the pool: trees, metadata snapshot, space maps, and superblock, with valid checksums.
  package func build() -> PoolImage {
    let live = liveDevices ?? devices
    let needed =
      2 + treeNodeCount(devices) + (liveDevices == nil ? 0 : treeNodeCount(live))
      + SpaceMapWriter.dataNodeCount(dataBlockCount: dataBlockCount)
    let mapped = metadataBlockCount ?? (needed + needed / 8000 + 16)
    var image = MetadataImage(blockCount: mapped)
    var blocks = BlockAllocator(order: blockOrder(upTo: mapped))

    let heldTrees = writeTrees(devices, into: &image, allocating: &blocks)
    // The block precedes the live trees, so that the metadata snapshot stays in place when they
    // change.
    let heldBlock = holdsMetadataSnapshot ? blocks.next() : nil
    let shared = treesSharedWithHeld(heldTrees)
    let liveTrees =
      liveDevices == nil
      ? heldTrees : writeTrees(live, shared: shared, into: &image, allocating: &blocks)
    let generations =
      liveDevices != nil && holdsMetadataSnapshot
      ? [devices, live.filter { shared[$0.devID] == nil }] : [live]
    let dataRoot = writeDataMap(generations, into: &image, allocating: &blocks)

    var counts = [UInt8](repeating: 0, count: mapped)
    counts[0] = 1
    var ahead = blocks
    for _ in 0..<SpaceMapWriter.metadataNodeCount(metadataBlockCount: mapped) { _ = ahead.next() }
    for block in ahead.taken { counts[block] = 1 }
    countReferences(heldTrees, of: devices, into: &counts)
    if liveDevices != nil {
      countReferences(liveTrees, of: live, into: &counts)
      for shape in shared.values { counts[shape.root] += 1 }
    } else if holdsMetadataSnapshot {
      counts[heldTrees.topLevel.root] += 1
      counts[heldTrees.details.root] += 1
    }
    let metadataRoot = SpaceMapWriter.writeMetadataMap(
      counts: counts, into: &image, allocating: &blocks)

    if let heldBlock {
      var held = superblock(of: heldTrees, metadataBlockCount: mapped)
      held.blockNumber = UInt64(heldBlock)
      image[heldBlock] = held.block
      image.seal(heldBlock, as: .superblock)
    }
    var superblock = superblock(of: liveTrees, metadataBlockCount: mapped)
    superblock.heldRoot = UInt64(heldBlock ?? 0)
    superblock.setSpaceMapRoot(dataRoot, at: 64)
    superblock.setSpaceMapRoot(metadataRoot, at: 192)
    image[0] = superblock.block
    image.seal(0, as: .superblock)
    return PoolImage(
      metadata: image, blockByteCount: blockByteCount, dataBlockCount: dataBlockCount,
      devices: devices, held: heldTrees, live: liveTrees, heldBlock: heldBlock)
  }

  private func blockOrder(upTo blockCount: Int) -> [Int] {
    switch placement {
    case .sequential:
      return Array(1..<blockCount)
    case .shuffled(let seed):
      var generator = SeededGenerator(seed: seed)
      return (1..<blockCount).shuffled(using: &generator)
    }
  }

  private func superblock(of trees: PoolTrees, metadataBlockCount: Int) -> SuperblockEditor {
    var superblock = SuperblockEditor()
    superblock.magic = SuperblockEditor.magic
    superblock.version = 2
    superblock.time = time
    superblock.transactionID = transactionID
    superblock.topLevelRoot = UInt64(trees.topLevel.root)
    superblock.detailsRoot = UInt64(trees.details.root)
    superblock.dataBlockSectorCount = UInt32(blockByteCount / 512)
    superblock.metadataBlockSectorCount = 8
    superblock.metadataBlockCountAtFormat = UInt64(metadataBlockCount)
    return superblock
  }
}
