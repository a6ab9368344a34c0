/// One buffer, or one each for source and target, and the state of the transfer that occupies it.
struct Slot {
  enum State: UInt8 {
    case free
    /// Reads are waiting to be enqueued or are in flight; the kernel owns the bytes.
    case reading
    /// All bytes have arrived; the slot waits for its turn to be inspected.
    case arrived
    /// The write is queued or in flight; the kernel owns the bytes until it completes.
    case writing
    /// The transfer is being reread unit by unit after a read failed.
    case salvaging
  }

  var state = State.free
  var range = ByteRange(start: 0, end: 0)
  var ticket: UInt64 = 0
  var recordedChecksum: UInt32?
  var checksum: UInt32 = 0
  var segmentCount = 0
  /// The index of the next read to enqueue; the read of the target comes last.
  var nextRead = 0
  var pendingReadCount = 0
  var hasBadSpot = false
  /// The number of bytes read from the target so far; `writtenByteCount` counts those written.
  var targetDoneByteCount = 0
  var writtenByteCount = 0

  var byteCount: Int { Int(range.byteCount) }
}

/// A segment of a slot's transfer and the number of its bytes read so far.
struct SlotSegment {
  var dataByteOffset: UInt64 = 0
  var bufferByteOffset = 0
  var byteCount = 0
  var doneByteCount = 0
}

/// The state of a read or write after one completion: complete, more to transfer, or failed.
enum Arrival: Equatable { case complete, more, bad }

/// A pipeline's slots: which ones are free, which transfers occupy the others, how much of each has
/// been read and written, and the requests for the rest.
struct SlotTable {
  private let shape: PipelineShape
  private let readsSource: Bool
  private let readsTarget: Bool
  private var slots: [Slot]
  private var segments: [SlotSegment]
  private var free: [Int]
  /// The slots, indexed by ticket; empty unless slots are looked up in plan order.
  private var slotByTicket: [Int]
  /// The total size of all transfers that occupy a slot.
  private(set) var byteCount: UInt64 = 0

  init(_ shape: PipelineShape, readsSource: Bool, readsTarget: Bool, isOrdered: Bool) {
    self.shape = shape
    self.readsSource = readsSource
    self.readsTarget = readsTarget
    slots = Array(repeating: Slot(), count: shape.slotCount)
    segments = Array(repeating: SlotSegment(), count: shape.slotCount * shape.segmentCountMax)
    free = Array((0..<shape.slotCount).reversed())
    slotByTicket = Array(repeating: -1, count: isOrdered ? shape.slotCount : 0)
  }

  var indices: Range<Int> { slots.indices }
  var hasFree: Bool { !free.isEmpty }
  var areAllFree: Bool { free.count == slots.count }

  subscript(slot: Int) -> Slot { @inline(__always) _read { yield slots[slot] } }

  private func segment(_ slot: Int, _ index: Int) -> SlotSegment {
    segments[slot * shape.segmentCountMax + index]
  }

  /// Returns the segment that contains a byte of a slot's buffer; nil if the slot has no segments.
  func segment(of slot: Int, at bufferByteOffset: Int) -> SlotSegment? {
    let first = slot * shape.segmentCountMax
    return segments[first..<first + slots[slot].segmentCount].last {
      $0.bufferByteOffset <= bufferByteOffset
    }
  }

  /// Returns the slot whose transfer has the given ticket; nil if there is none.
  ///
  /// - Precondition: The table was created with `isOrdered`.
  func slot(withTicket ticket: UInt64) -> Int? {
    let slot = slotByTicket[Int(ticket % UInt64(slots.count))]
    guard slot >= 0, slots[slot].ticket == ticket else { return nil }
    return slot
  }

  /// Assigns a transfer to a free slot.
  ///
  /// - Precondition: A slot is free.
  mutating func begin(_ transfer: Transfer, ticket: UInt64) -> Int {
    precondition(transfer.segments.count <= shape.segmentCountMax)
    let slot = free.removeLast()
    slots[slot] = Slot(
      state: .reading, range: transfer.range, ticket: ticket,
      recordedChecksum: transfer.recordedChecksum,
      segmentCount: readsSource ? transfer.segments.count : 0)
    if !slotByTicket.isEmpty { slotByTicket[Int(ticket % UInt64(slots.count))] = slot }
    for index in 0..<slots[slot].segmentCount {
      let segment = transfer.segments[index]
      segments[slot * shape.segmentCountMax + index] = SlotSegment(
        dataByteOffset: segment.dataByteOffset,
        bufferByteOffset: Int(segment.targetByteOffset - transfer.start),
        byteCount: Int(segment.byteCount))
    }
    byteCount += transfer.byteCount
    return slot
  }

  // MARK: State changes

  /// Returns the number of reads that a slot's transfer requires.
  private func readCount(_ slot: Int) -> Int { slots[slot].segmentCount + (readsTarget ? 1 : 0) }

  /// Returns true if every read of a slot has been requested.
  @inline(__always)
  func hasAllReads(_ slot: Int) -> Bool { slots[slot].nextRead == readCount(slot) }

  /// Returns the next read of a slot: its segments in order, then the target.
  ///
  /// - Precondition: `hasAllReads` is false for the slot.
  mutating func nextRead(_ slot: Int) -> IORequest {
    let index = slots[slot].nextRead
    slots[slot].nextRead += 1
    slots[slot].pendingReadCount += 1
    return index < slots[slot].segmentCount ? sourceRead(slot, segment: index) : targetRead(slot)
  }

  /// Marks a slot as having received all of its bytes.
  @inline(__always)
  mutating func arrived(_ slot: Int) { slots[slot].state = .arrived }

  /// Marks a slot for writing and stores the checksum of its bytes.
  mutating func beginWrite(_ slot: Int, checksum: UInt32) {
    slots[slot].checksum = checksum
    slots[slot].state = .writing
  }

  /// Marks a slot for rereading unit by unit.
  mutating func beginSalvage(_ slot: Int) { slots[slot].state = .salvaging }

  /// Resets a slot's written byte count before a piece of its transfer is written.
  mutating func beginPiece(_ slot: Int) { slots[slot].writtenByteCount = 0 }

  // MARK: Requests

  /// Returns a request to read the rest of a segment.
  @inline(__always)
  func sourceRead(_ slot: Int, segment index: Int) -> IORequest {
    let segment = segment(slot, index)
    return IORequest(
      .read, .data, byteOffset: segment.dataByteOffset + UInt64(segment.doneByteCount),
      slabByteOffset: shape.sourceBuffer(slot) + segment.bufferByteOffset + segment.doneByteCount,
      byteCount: roundedUp(
        segment.byteCount - segment.doneByteCount, shape.dataAlignmentByteCount),
      tag: RequestTag.sourceRead.tag(slot: slot, segment: index))
  }

  /// Returns a request to read the rest of a slot's range from the target.
  func targetRead(_ slot: Int) -> IORequest {
    let done = slots[slot].targetDoneByteCount
    return IORequest(
      .read, .target, byteOffset: slots[slot].range.start + UInt64(done),
      slabByteOffset: shape.targetBuffer(slot) + done,
      byteCount: roundedUp(slots[slot].byteCount - done, shape.targetAlignmentByteCount),
      tag: RequestTag.targetRead.tag(slot: slot))
  }

  /// Returns a request to write the rest of a slot's transfer.
  func write(_ slot: Int) -> IORequest {
    write(slots[slot].range, of: slot, .targetWrite)
  }

  /// Returns a request to read a salvage's current unit from the source; nil if the transfer has no
  /// segments.
  func sourceRead(_ salvage: Salvage) -> IORequest? {
    let slot = salvage.slot
    guard let segment = segment(of: slot, at: salvage.position) else { return nil }
    return IORequest(
      .read, .data,
      byteOffset: segment.dataByteOffset + UInt64(salvage.position - segment.bufferByteOffset),
      slabByteOffset: shape.sourceBuffer(slot) + salvage.position,
      byteCount: roundedUp(salvage.unitByteCount, shape.dataAlignmentByteCount),
      tag: RequestTag.salvageSource.tag(slot: slot))
  }

  /// Returns a request to read a salvage's current unit from the target.
  func targetRead(_ salvage: Salvage) -> IORequest {
    let slot = salvage.slot
    return IORequest(
      .read, .target, byteOffset: slots[slot].range.start + UInt64(salvage.position),
      slabByteOffset: shape.targetBuffer(slot) + salvage.position,
      byteCount: roundedUp(salvage.unitByteCount, shape.targetAlignmentByteCount),
      tag: RequestTag.salvageTarget.tag(slot: slot))
  }

  /// Returns a request to write the rest of a salvage's current piece.
  func write(_ piece: ByteRange, of slot: Int) -> IORequest {
    write(piece, of: slot, .salvageWrite)
  }

  private func write(_ range: ByteRange, of slot: Int, _ tag: RequestTag) -> IORequest {
    let done = slots[slot].writtenByteCount
    return IORequest(
      .write, isInTail(range) ? .targetBuffered : .target, byteOffset: range.start + UInt64(done),
      slabByteOffset: shape.sourceBuffer(slot) + Int(range.start - slots[slot].range.start) + done,
      byteCount: Int(range.byteCount) - done, tag: tag.tag(slot: slot))
  }

  private func roundedUp(_ byteCount: Int, _ unit: Int) -> Int {
    (byteCount + unit - 1) / unit * unit
  }

  /// Returns true if a slot's transfer is in the target's unaligned tail.
  func isInTail(_ slot: Int) -> Bool { isInTail(slots[slot].range) }

  private func isInTail(_ range: ByteRange) -> Bool { range.start >= shape.tailByteOffset }

  // MARK: Completions

  /// Records the result of reading a segment: a byte count or an error.
  @inline(__always)
  mutating func sourceArrived(_ slot: Int, segment index: Int, _ result: Int64) -> Arrival {
    let place = slot * shape.segmentCountMax + index
    let byteCount = segments[place].byteCount
    return Self.advance(
      &segments[place].doneByteCount, by: result, of: byteCount, shape.dataAlignmentByteCount)
  }

  /// Records the result of reading from the target: a byte count or an error.
  mutating func targetArrived(_ slot: Int, _ result: Int64) -> Arrival {
    let byteCount = slots[slot].byteCount
    return Self.advance(
      &slots[slot].targetDoneByteCount, by: result, of: byteCount,
      shape.targetAlignmentByteCount)
  }

  /// Records the result of writing a slot's transfer: a byte count or an error.
  mutating func written(_ slot: Int, _ result: Int64) -> Arrival {
    written(slot, result, of: slots[slot].byteCount)
  }

  /// Records the result of writing a salvage's piece: a byte count or an error.
  mutating func written(_ slot: Int, _ result: Int64, of byteCount: Int) -> Arrival {
    Self.advance(
      &slots[slot].writtenByteCount, by: result, of: byteCount, shape.targetAlignmentByteCount)
  }

  /// Removes one read from a slot's pending reads; with `isBad`, marks the slot as having a bad
  /// spot.
  @inline(__always)
  mutating func endRead(_ slot: Int, isBad: Bool) {
    if isBad { slots[slot].hasBadSpot = true }
    slots[slot].pendingReadCount -= 1
  }

  // After a short direct read or write, the next request starts at the last aligned boundary, not
  // at the byte where the short one stopped.
  private static func advance(
    _ done: inout Int, by result: Int64, of byteCount: Int, _ alignment: Int
  ) -> Arrival {
    guard result > 0 else { return .bad }
    let reached = done + Int(result)
    guard reached < byteCount else { return .complete }
    let aligned = reached / alignment * alignment
    guard aligned > done else { return .bad }
    done = aligned
    return .more
  }

  /// Frees a slot and drops its transfer.
  mutating func release(_ slot: Int) {
    byteCount -= slots[slot].range.byteCount
    slots[slot].state = .free
    if !slotByTicket.isEmpty { slotByTicket[Int(slots[slot].ticket % UInt64(slots.count))] = -1 }
    free.append(slot)
  }
}

/// A first-in, first-out queue with room for every slot.
struct SlotQueue {
  private var ring: [Int]
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) { ring = Array(repeating: 0, count: max(1, capacity)) }

  var isEmpty: Bool { count == 0 }
  var first: Int? { count == 0 ? nil : ring[head] }

  mutating func append(_ slot: Int) {
    precondition(count < ring.count)
    ring[(head + count) % ring.count] = slot
    count += 1
  }

  mutating func removeFirst() {
    precondition(count > 0)
    head = (head + 1) % ring.count
    count -= 1
  }
}

/// A binary heap with room for every slot; the slot with the lowest ticket comes first.
struct SlotHeap {
  private struct Entry {
    var ticket: UInt64
    var slot: Int
  }

  private var entries: [Entry] = []

  init(capacity: Int) { entries.reserveCapacity(capacity) }

  var isEmpty: Bool { entries.isEmpty }
  var first: Int? { entries.first?.slot }

  mutating func insert(_ slot: Int, ticket: UInt64) {
    var place = entries.count
    entries.append(Entry(ticket: ticket, slot: slot))
    while place > 0, entries[place].ticket < entries[(place - 1) / 2].ticket {
      entries.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  /// - Precondition: The heap is not empty.
  mutating func removeFirst() {
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2]
      where child < entries.count && entries[child].ticket < entries[least].ticket {
        least = child
      }
      guard least != place else { return }
      entries.swapAt(place, least)
      place = least
    }
  }
}
