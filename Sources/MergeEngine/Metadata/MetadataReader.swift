/// A reader of a pool's superblocks and devices; the mappings to merge are read elsewhere.
package struct MetadataReader {
  package let metadata: OpenFile
  private let clock: Clock
  /// A factory for closures that return true once a queue must stop waiting.
  private let waitLimit: @Sendable () -> @Sendable () -> Bool

  package init(
    _ metadata: OpenFile, clock: Clock,
    waitLimit: @escaping @Sendable () -> @Sendable () -> Bool = { { false } }
  ) {
    self.metadata = metadata
    self.clock = clock
    self.waitLimit = waitLimit
  }

  /// A thin device as recorded in the metadata.
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
      path: metadata.path, byteCount: metadata.byteCountNow, mappings: mappings,
      ignoresNeedsCheck: ignoresNeedsCheck, &io)
  }

  /// Creates a queue for reading trees.
  package func treeQueue() throws(MergeError) -> LinuxAIO {
    try LinuxAIO(
      requestCount: TreeWalker.requestCount, slabByteCount: TreeWalker.slabByteCount,
      files: [.metadata: metadata], clock: clock, isWaitOver: waitLimit())
  }

  /// Returns every thin device, in ascending order of ID.
  ///
  /// - `tolerating`: a closure that receives faults that make the two device trees disagree; the
  ///   devices that are in both trees are then returned. If nil, the first fault is thrown.
  package func devices(
    in pool: PoolMetadata, tolerating: ((MetadataFault) -> Void)? = nil
  ) throws(MergeError) -> [Device] {
    var io = try treeQueue()
    var ledger = try NodeLedger(metadataBlockCount: pool.live.metadataBlockCount)
    var devices: [Device] = []
    do throws(MetadataFault) {
      let trees = try DeviceTrees(
        pool.superblock, bounds: pool.bounds, wanted: nil, &io, &ledger
      ) { id, details, root in
        devices.append(Device(id: id, details: details, mappingRoot: root))
      }
      for fault in trees.otherFaults {
        guard let tolerating else { throw fault }
        tolerating(fault)
      }
    } catch {
      throw error.refusal(path: pool.path)
    }
    return devices
  }

  /// Returns the live superblock, even if the pool holds a metadata snapshot.
  package func liveSuperblock() throws(MergeError) -> Superblock { try live().live }

  /// Reads the superblocks for access to the live trees.
  private func live() throws(MergeError) -> PoolMetadata {
    try superblocks(.inactivePool, ignoresNeedsCheck: true)
  }

  /// Returns the devices among `ids` that exist in the live trees, all read from one consistent
  /// state.
  ///
  /// - Throws: `MergeError`; `busy` if the pool's metadata was still changing during the last
  ///   attempt.
  package func liveDevices(_ ids: Set<UInt32>) throws(MergeError) -> [Device] {
    let found = try readLive { live throws(MergeError) in
      try devices(in: live).filter { ids.contains($0.id) }
    }
    guard let found else { throw .metadataChanging(metadata.path) }
    return found
  }

  /// Determines what has happened to a thin device since a metadata snapshot was taken.
  ///
  /// - `liveID`: the device's current ID, or the ID of a snapshot of the device.
  /// - Returns: The device's fate, or nil if the pool's metadata was still changing during the last
  ///   attempt.
  package func fate(
    of id: UInt32, as liveID: UInt32, since held: PoolMetadata
  ) throws(MergeError) -> ThinDeviceFate? {
    try readLive { live throws(MergeError) in try fate(of: id, as: liveID, held, live) }
  }

  /// Reads the live trees, and retries if they change during the read.
  ///
  /// - Returns: The result of `body`, or nil if the trees were still changing during the last
  ///   attempt.
  func readLive<Result>(
    _ body: (PoolMetadata) throws(MergeError) -> Result
  ) throws(MergeError) -> Result? {
    var failure: MergeError?
    for _ in 0..<Self.liveReadCountMax {
      do throws(MergeError) {
        let live = try live()
        let result = try body(live)
        // The blocks of the live trees keep their content until the pool commits.
        if try self.live().live == live.live { return result }
        failure = nil
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return nil
  }

  /// The maximum number of attempts to read the live trees if they keep changing.
  private static let liveReadCountMax = 5

  private func fate(
    of id: UInt32, as liveID: UInt32, _ held: PoolMetadata, _ live: PoolMetadata
  ) throws(MergeError) -> ThinDeviceFate {
    // A device without mappings has no data that could be lost.
    guard let old = try devices(in: held).first(where: { $0.id == id }),
      old.details.mappedBlockCount > 0
    else { return .there }
    guard let new = try devices(in: live).first(where: { $0.id == liveID }) else { return .deleted }
    // Equal creation times prove nothing: creating a device that is not a snapshot does not advance
    // the pool's time.
    let isSame =
      new.details.creationTime == old.details.creationTime
      && new.details.transactionID == old.details.transactionID
    guard isSame || liveID != id, try shareMapping((old, held), (new, live)) else {
      return .replaced
    }
    return .there
  }

  /// Returns true if two devices map the same thin block to the same data block.
  ///
  /// An older and a newer tree of the same device share nodes unless every leaf has changed since.
  /// Even then, the first leaves usually reveal a shared mapping. All leaves of the smaller tree
  /// are read only if no mapping is shared.
  private func shareMapping(
    _ one: (device: Device, pool: PoolMetadata), _ other: (device: Device, pool: PoolMetadata)
  ) throws(MergeError) -> Bool {
    var io = try LinuxAIO(
      requestCount: 0, slabByteCount: BlockKind.blockByteCount, files: [.metadata: metadata],
      clock: clock)
    let family = try family(of: one.device.mappingRoot, in: one.pool, &io)
    if try !family.isDisjoint(with: self.family(of: other.device.mappingRoot, in: other.pool, &io))
    {
      return true
    }
    let isOneSmaller = one.device.details.mappedBlockCount <= other.device.details.mappedBlockCount
    let (small, large) = isOneSmaller ? (one, other) : (other, one)
    do throws(MetadataFault) {
      var leaf = Leaf(node: Node(isLeaf: true, keys: [], values: []), lastKey: nil)
      var pending = [(block: small.device.mappingRoot, level: 0)]
      while let (block, level) = pending.popLast() {
        let node = try node(at: block, level: level, in: small.pool, &io)
        guard node.isLeaf else {
          pending += node.values.reversed().map { (block: MetadataBlock($0), level: level + 1) }
          continue
        }
        for (key, value) in zip(node.keys, node.values) {
          // Keys are in ascending order, so each leaf of the other tree is read only once.
          if leaf.lastKey.map({ key > $0 }) ?? true {
            leaf = try self.leaf(for: key, of: large.device, in: large.pool, &io)
          }
          if let found = leaf.node.value(of: key), found >> 24 == value >> 24 { return true }
        }
      }
      return false
    } catch {
      throw error.refusal(path: metadata.path)
    }
  }

  private struct Node {
    var isLeaf: Bool
    var keys: [UInt64]
    var values: [UInt64]

    /// Returns the index of the last key that is at most `key`; nil if there is none.
    ///
    /// The keys must be in ascending order.
    func index(of key: UInt64) -> Int? {
      var (low, high) = (0, keys.count)
      while low < high {
        let middle = (low + high) / 2
        if keys[middle] > key { high = middle } else { low = middle + 1 }
      }
      return low > 0 ? low - 1 : nil
    }

    func value(of key: UInt64) -> UInt64? {
      index(of: key).flatMap { keys[$0] == key ? values[$0] : nil }
    }
  }

  /// A leaf and the last key that it could contain.
  private struct Leaf {
    var node: Node
    var lastKey: UInt64?
  }

  private func leaf(
    for key: UInt64, of device: Device, in pool: PoolMetadata, _ io: inout LinuxAIO
  ) throws(MetadataFault) -> Leaf {
    var block = device.mappingRoot
    var lastKey = UInt64.max
    var level = 0
    while true {
      let node = try node(at: block, level: level, in: pool, &io)
      if node.isLeaf { return Leaf(node: node, lastKey: lastKey) }
      guard let index = node.index(of: key) else {
        return Leaf(
          node: Node(isLeaf: true, keys: [], values: []), lastKey: node.keys[0] - 1)
      }
      if index + 1 < node.keys.count { lastKey = node.keys[index + 1] - 1 }
      block = MetadataBlock(node.values[index])
      level += 1
    }
  }

  /// Returns the IDs of devices whose trees share the root, or a child of the root, with the tree
  /// of `device`.
  ///
  /// Such devices are snapshots of each other or of a common device.
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

  /// Returns a tree's root and the root's children.
  private func family(
    of root: MetadataBlock, in pool: PoolMetadata, _ io: inout LinuxAIO
  ) throws(MergeError) -> Set<MetadataBlock> {
    do throws(MetadataFault) {
      let node = try node(at: root, level: 0, in: pool, &io)
      return Set([root] + (node.isLeaf ? [] : node.values.map { MetadataBlock($0) }))
    } catch {
      throw error.refusal(path: pool.path)
    }
  }

  /// Reads a node of a tree whose values are 8-byte integers.
  private func node(
    at block: MetadataBlock, level: Int, in pool: PoolMetadata, _ io: inout LinuxAIO
  ) throws(MetadataFault) -> Node {
    let byteCount = BlockKind.blockByteCount
    guard level < TreeWalker.levelCountMax else {
      throw .tooDeep(block, max: TreeWalker.levelCountMax)
    }
    try pool.bounds.check(block, from: nil)
    let result = io.perform(
      IORequest(
        .read, .metadata, byteOffset: block.rawValue * UInt64(byteCount), byteCount: byteCount,
        tag: 0))
    guard result == Int64(byteCount) else { throw .cannotRead(block, result: result) }
    let bytes = io.bytes(at: 0, count: byteCount)
    let node = try BtreeNode(bytes, at: block, leafValueByteCount: MemoryLayout<UInt64>.size)
    return Node(
      isLeaf: node.isLeaf, keys: (0..<node.entryCount).map { node.key($0, in: bytes) },
      values: (0..<node.entryCount).map { node.value($0, in: bytes) })
  }
}

/// The possible fates of a thin device that was being merged.
package enum ThinDeviceFate: Equatable, Sendable {
  case there, deleted
  /// Another thin device now has the same ID.
  case replaced
}
