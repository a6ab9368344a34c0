internal import SystemPackage

/// Reads a btree leaf by leaf in key order, with many reads in flight and in constant memory.
///
/// All children of one internal node, called a *family*, are read together into one region of the
/// slab. They are sorted by block number, and adjacent blocks are combined into one read. Each
/// level above the leaves has one family at a time; the leaf level has up to four, so that leaves
/// are ready when needed.
package struct TreeWalker: ~Copyable {
  /// A node to read, and the range of keys that the node's parent allows.
  private struct Child {
    var block = MetadataBlock(0)
    var keys: ClosedRange<UInt64> = 0...UInt64.max
    /// The index of the block in the family's region of the slab.
    var place = 0
  }

  private struct Family {
    var childCount = 0
    /// The index of the first child that has not been handed out yet.
    var next = 0
    var unreadCount = 0
  }

  /// Consecutive places in a region that are read with one request.
  private struct Read {
    var region = 0
    var firstPlace = 0
    var count = 0
    var block: UInt64 = 0
  }

  private enum Expansion { case made, notYet, exhausted }

  private static let childCountMax = BtreeNode.childCountMax
  /// The maximum number of levels; a valid tree has at most five, and the kernel's own limit is
  /// below this one.
  package static let levelCountMax = 16
  private static let leafFamilyCountMax = 4
  private static let regionCount = levelCountMax + leafFamilyCountMax
  private static let regionByteCount = childCountMax * BlockKind.blockByteCount
  private static let joinedCountMax = 64
  /// The number of leaves handed out between checks for room to enqueue more reads.
  private static let refillLeafCount = 32
  /// The size in bytes that a queue's slab must have.
  package static let slabByteCount = regionCount * regionByteCount
  package static let requestCount = 128

  private let bounds: MetadataBounds
  private let leafValueByteCount: Int
  private let firstKey: UInt64
  private var leafLevel: Int?
  private var children: [Child]
  private var families: [Family]
  /// The regions of each level's families, in key order.
  private var levels: [[Int]]
  private var freeRegions: [Int]
  private var reads: [Read] = []
  private var firstRead = 0
  private var order: [UInt64] = []
  private var batch = CompletionBatch()

  /// Prepares to walk the tree at `root`, starting with the leaf that contains, or would contain,
  /// `firstKey`.
  package init(
    root: MetadataBlock, bounds: MetadataBounds, leafValueByteCount: Int, firstKey: UInt64 = 0
  ) throws(MetadataFault) {
    self.bounds = bounds
    self.leafValueByteCount = leafValueByteCount
    self.firstKey = firstKey
    children = Array(repeating: Child(), count: Self.regionCount * Self.childCountMax)
    families = Array(repeating: Family(), count: Self.regionCount)
    levels = Array(repeating: [], count: Self.levelCountMax)
    for level in levels.indices { levels[level].reserveCapacity(Self.leafFamilyCountMax) }
    freeRegions = Array((1..<Self.regionCount).reversed())
    order.reserveCapacity(Self.childCountMax)
    reads.reserveCapacity(Self.regionCount * Self.childCountMax)
    try bounds.check(root, from: nil)
    children[0].block = root
    families[0] = Family(childCount: 1)
    levels[0].append(0)
    planReads(region: 0)
  }

  /// Passes the next leaf to `body`; returns false after the last leaf.
  ///
  /// - Throws: `MetadataFault` from reading, from the checks, or from `body`.
  package mutating func nextLeaf<IO: BlockIO & ~Copyable>(
    _ io: inout IO, _ ledger: inout NodeLedger,
    _ body: (BtreeNode, RawSpan, MetadataBlock, ClosedRange<UInt64>) throws(MetadataFault) -> Void
  ) throws(MetadataFault) -> Bool {
    if leafLevel == nil { try descend(&io, &ledger) }
    guard let level = leafLevel else { return false }
    while true {
      guard let region = levels[level].first else {
        guard try expand(level - 1, waiting: true, &io, &ledger) == .made else { return false }
        continue
      }
      guard families[region].next < families[region].childCount else {
        release(level)
        try readAhead(level, &io, &ledger)
        continue
      }
      try awaitFamily(region, &io)
      if families[region].next.isMultiple(of: Self.refillLeafCount) { try refill(&io) }
      let (node, child) = try takeNode(region, isLeaf: true, io, &ledger)
      try body(node, bytes(of: child, region, io), child.block, child.keys)
      return true
    }
  }

  /// Determines the level of the leaves by following the leftmost path.
  private mutating func descend<IO: BlockIO & ~Copyable>(
    _ io: inout IO, _ ledger: inout NodeLedger
  ) throws(MetadataFault) {
    var level = 0
    while true {
      let region = levels[level][0]
      try awaitFamily(region, &io)
      let child = children[region * Self.childCountMax]
      let node = try BtreeNode(
        bytes(of: child, region, io), at: child.block, leafValueByteCount: leafValueByteCount)
      if node.isLeaf {
        leafLevel = level
        try readAhead(level, &io, &ledger)
        return
      }
      guard level + 1 < Self.levelCountMax else {
        throw .tooDeep(child.block, max: Self.levelCountMax)
      }
      _ = try expand(level, waiting: true, &io, &ledger)
      level += 1
    }
  }

  /// Creates as many families of leaves as there is room for, without waiting.
  private mutating func readAhead<IO: BlockIO & ~Copyable>(
    _ level: Int, _ io: inout IO, _ ledger: inout NodeLedger
  ) throws(MetadataFault) {
    while levels[level].count < Self.leafFamilyCountMax,
      try expand(level - 1, waiting: false, &io, &ledger) == .made
    {}
    pump(&io)
    io.submit()
  }

  /// Creates the family of the next node at `level`.
  private mutating func expand<IO: BlockIO & ~Copyable>(
    _ level: Int, waiting: Bool, _ io: inout IO, _ ledger: inout NodeLedger
  ) throws(MetadataFault) -> Expansion {
    guard level >= 0 else { return .exhausted }
    while true {
      if let region = levels[level].first {
        if families[region].next < families[region].childCount {
          if families[region].unreadCount > 0 {
            guard waiting else { return .notYet }
            try awaitFamily(region, &io)
          }
          let (node, child) = try takeNode(region, isLeaf: false, io, &ledger)
          if try makeFamily(of: node, bytes(of: child, region, io), child, at: level + 1) {
            pump(&io)
            io.submit()
            return .made
          }
          continue
        }
        release(level)
      }
      let above = try expand(level - 1, waiting: waiting, &io, &ledger)
      guard above == .made else { return above }
    }
  }

  private mutating func takeNode<IO: BlockIO & ~Copyable>(
    _ region: Int, isLeaf: Bool, _ io: borrowing IO, _ ledger: inout NodeLedger
  ) throws(MetadataFault) -> (BtreeNode, Child) {
    let child = children[region * Self.childCountMax + families[region].next]
    families[region].next += 1
    let node = try BtreeNode(
      bytes(of: child, region, io), at: child.block, leafValueByteCount: leafValueByteCount)
    guard node.isLeaf == isLeaf else {
      throw .unevenDepth(child.block, isLeafExpected: isLeaf)
    }
    try ledger.enter(child.block, checksum: node.checksum)
    return (node, child)
  }

  /// Creates the family of a node; returns false if all of the node's children lie before the first
  /// key.
  private mutating func makeFamily(
    of node: BtreeNode, _ bytes: RawSpan, _ parent: Child, at level: Int
  ) throws(MetadataFault) -> Bool {
    try node.checkKeys(in: bytes, of: parent.block, within: parent.keys)
    guard let region = freeRegions.popLast() else {
      throw .tooDeep(parent.block, max: Self.levelCountMax)
    }
    var count = 0
    for index in 0..<node.entryCount {
      let last =
        index + 1 < node.entryCount ? node.key(index + 1, in: bytes) - 1 : parent.keys.upperBound
      guard last >= firstKey else { continue }
      let block = MetadataBlock(node.value(index, in: bytes))
      try bounds.check(block, from: parent.block)
      let first = node.key(index, in: bytes)
      children[region * Self.childCountMax + count] = Child(block: block, keys: first...last)
      count += 1
    }
    guard count > 0 else {
      freeRegions.append(region)
      return false
    }
    families[region] = Family(childCount: count)
    levels[level].append(region)
    planReads(region: region)
    return true
  }

  private mutating func release(_ level: Int) {
    freeRegions.append(levels[level].removeFirst())
  }

  private func byteOffset(_ region: Int, _ place: Int) -> Int {
    region * Self.regionByteCount + place * BlockKind.blockByteCount
  }

  @_lifetime(borrow io)
  private func bytes<IO: BlockIO & ~Copyable>(
    of child: Child, _ region: Int, _ io: borrowing IO
  ) -> RawSpan {
    io.bytes(at: byteOffset(region, child.place), count: BlockKind.blockByteCount)
  }

  /// Assigns places to a family's nodes in device order, and combines adjacent blocks into one
  /// read.
  private mutating func planReads(region: Int) {
    let base = region * Self.childCountMax
    let count = families[region].childCount
    order.removeAll(keepingCapacity: true)
    // A block number takes 22 bits and a child index takes 8, so both fit into one integer that
    // sorts by block.
    for index in 0..<count {
      order.append(children[base + index].block.rawValue << 8 | UInt64(index))
    }
    sortRising()
    families[region].unreadCount = count
    var place = 0
    while place < count {
      let block = order[place] >> 8
      var joined = 1
      while place + joined < count, joined < Self.joinedCountMax,
        order[place + joined] >> 8 == block + UInt64(joined)
      {
        joined += 1
      }
      for step in 0..<joined {
        children[base + Int(order[place + step] & 0xFF)].place = place + step
      }
      reads.append(Read(region: region, firstPlace: place, count: joined, block: block))
      place += joined
    }
  }

  /// Sorts `order` in place without allocating; `order` is short and often already sorted.
  private mutating func sortRising() {
    for index in 1..<max(1, order.count) {
      let moved = order[index]
      var hole = index
      while hole > 0, order[hole - 1] > moved {
        order[hole] = order[hole - 1]
        hole -= 1
      }
      order[hole] = moved
    }
  }

  /// Enqueues planned reads while the queue has room.
  private mutating func pump<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    while firstRead < reads.count, io.requestCount < io.requestCountMax {
      let read = reads[firstRead]
      firstRead += 1
      io.enqueue(
        IORequest(
          .read, .metadata, byteOffset: read.block * UInt64(BlockKind.blockByteCount),
          slabByteOffset: byteOffset(read.region, read.firstPlace),
          byteCount: read.count * BlockKind.blockByteCount,
          tag: UInt64(read.region) << 32 | UInt64(read.firstPlace) << 16 | UInt64(read.count)))
    }
    if firstRead == reads.count {
      reads.removeAll(keepingCapacity: true)
      firstRead = 0
    }
  }

  private mutating func awaitFamily<IO: BlockIO & ~Copyable>(
    _ region: Int, _ io: inout IO
  ) throws(MetadataFault) {
    while families[region].unreadCount > 0 {
      pump(&io)
      io.submit()
      // Waking up for each node costs CPU time. Waiting for half of the requests, as the pipeline
      // does, measured no cheaper here than waiting for a quarter, and the last node of a family
      // must be waited for in any case.
      try reap(atLeast: max(1, io.requestCount / 4), timeout: nil, &io)
      for index in 0..<batch.count { try arrived(batch[index]) }
    }
  }

  /// Keeps the device busy reading while leaves are handed out, without waiting for reads to
  /// complete.
  private mutating func refill<IO: BlockIO & ~Copyable>(_ io: inout IO) throws(MetadataFault) {
    guard firstRead < reads.count else { return }
    if io.requestCount > 0 {
      try reap(atLeast: 0, timeout: .zero, &io)
      for index in 0..<batch.count { try arrived(batch[index]) }
    }
    pump(&io)
    io.submit()
  }

  private mutating func reap<IO: BlockIO & ~Copyable>(
    atLeast minimum: Int, timeout: Duration?, _ io: inout IO
  ) throws(MetadataFault) {
    do throws(Errno) {
      try io.reap(atLeast: minimum, timeout: timeout, into: &batch)
    } catch {
      throw .cannotWait(error)
    }
  }

  private mutating func arrived(_ completion: IOCompletion) throws(MetadataFault) {
    let region = Int(completion.tag >> 32)
    let firstPlace = Int(completion.tag >> 16 & 0xFFFF)
    let count = Int(completion.tag & 0xFFFF)
    guard completion.result == Int64(count * BlockKind.blockByteCount) else {
      let base = region * Self.childCountMax
      let child = children[base..<base + families[region].childCount].first {
        $0.place == firstPlace
      }
      throw .cannotRead(child?.block, result: completion.result)
    }
    families[region].unreadCount -= count
  }

  /// Waits for reads in flight, so that the queue can be used for other requests.
  ///
  /// If waiting fails, the next use of the queue reports the error.
  package mutating func drain<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    reads.removeAll(keepingCapacity: true)
    firstRead = 0
    while io.requestCount > 0 {
      io.submit()
      do throws(Errno) {
        try io.reap(atLeast: 1, timeout: nil, into: &batch)
      } catch {
        return
      }
    }
  }
}
