/// Reads what a pool's metadata says besides mappings: superblocks and devices.
package struct PoolReader {
  package let metadata: OpenFile
  private let clock: Clock

  package init(_ metadata: OpenFile, clock: Clock) {
    self.metadata = metadata
    self.clock = clock
  }

  /// A thin device as the metadata tells.
  package struct Device: Equatable, Sendable {
    package var id: UInt32
    package var details: DeviceDetails
    package var mappingRoot: MetadataBlock
  }

  package func superblocks(
    _ mappings: MergeSource.Mappings, ignoresNeedsCheck: Bool
  ) throws(MergeError) -> PoolMetadata {
    var io = try LinuxAIO(
      requestCount: 0, slabByteCount: BlockKind.blockByteCount, files: [.metadata: metadata],
      clock: clock)
    return try PoolMetadata(
      path: metadata.path, byteCount: metadata.byteCount, mappings: mappings,
      ignoresNeedsCheck: ignoresNeedsCheck, &io)
  }

  /// A queue for reading trees.
  package func treeQueue() throws(MergeError) -> LinuxAIO {
    try LinuxAIO(
      requestCount: TreeWalker.requestCount, slabByteCount: TreeWalker.slabByteCount,
      files: [.metadata: metadata], clock: clock)
  }

  /// Every thin device, by rising id.
  package func devices(in pool: PoolMetadata) throws(MergeError) -> [Device] {
    var io = try treeQueue()
    var ledger = try NodeLedger(metadataBlockCount: pool.live.metadataBlockCount)
    var devices: [Device] = []
    do throws(MetadataFault) {
      _ = try DeviceTable(pool.superblock, bounds: pool.bounds, wanted: nil, &io, &ledger) {
        id, details, root in
        devices.append(Device(id: id, details: details, mappingRoot: root))
      }
    } catch {
      throw error.refusal(path: pool.path)
    }
    return devices
  }

  /// The ids of devices that share their tree's root, or a child of it, with `device`: snapshots of
  /// each other, or of a common one.
  package func kin(
    of device: Device, among others: [Device], in pool: PoolMetadata
  ) throws(MergeError) -> Set<UInt32> {
    var io = try LinuxAIO(
      requestCount: 0, slabByteCount: BlockKind.blockByteCount, files: [.metadata: metadata],
      clock: clock)
    let own = try family(of: device.mappingRoot, in: pool, &io)
    var kin: Set<UInt32> = []
    for other in others
    where try !own.isDisjoint(with: family(of: other.mappingRoot, in: pool, &io)) {
      kin.insert(other.id)
    }
    return kin
  }

  /// A node and its children.
  private func family(
    of root: MetadataBlock, in pool: PoolMetadata, _ io: inout LinuxAIO
  ) throws(MergeError) -> Set<MetadataBlock> {
    let byteCount = BlockKind.blockByteCount
    do throws(MetadataFault) {
      try pool.bounds.check(root, from: nil)
      let request = IORequest(
        .read, .metadata, byteOffset: root.rawValue * UInt64(byteCount), byteCount: byteCount,
        tag: 0)
      let result = io.perform(request)
      guard result == Int64(byteCount) else {
        throw MetadataFault(readResult: result, of: root)
      }
      let bytes = io.bytes(at: 0, count: byteCount)
      let node = try BtreeNode(bytes, at: root, leafValueByteCount: MemoryLayout<UInt64>.size)
      var family: Set<MetadataBlock> = [root]
      if !node.isLeaf {
        for index in 0..<node.entryCount {
          family.insert(MetadataBlock(node.value(index, in: bytes)))
        }
      }
      return family
    } catch {
      throw error.refusal(path: pool.path)
    }
  }
}
