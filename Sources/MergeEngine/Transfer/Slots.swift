/// One buffer, or one for each side, and what happens to it.
struct Slot {
  enum State: UInt8 {
    case free
    /// Reads are to be enqueued or in flight; the bytes are the kernel's.
    case reading
    /// The bytes are there and wait for their turn.
    case arrived
    /// Waiting for a write, or it is in flight; the bytes are the kernel's until it completes.
    case writing
    /// Being read again piece by piece.
    case salvaging
  }

  var state = State.free
  var range = ByteRange(start: 0, end: 0)
  var ticket: UInt64 = 0
  var recordedChecksum: UInt32?
  var checksum: UInt32 = 0
  var segmentCount = 0
  /// Reads that were not enqueued yet begin with this one; the target's comes last.
  var nextRead = 0
  var pendingReadCount = 0
  var hasBadSpot = false
  /// Bytes of the target's side that have been read, and of the write that have been written.
  var targetDoneByteCount = 0
  var writtenByteCount = 0

  var byteCount: Int { Int(range.byteCount) }
}

/// A segment of a slot's transfer, and how far it has been read.
struct SlotSegment {
  var dataByteOffset: UInt64 = 0
  var bufferByteOffset = 0
  var byteCount = 0
  var doneByteCount = 0
}

/// What a read or write that completed means for what it is a part of.
enum Arrival: Equatable { case complete, more, bad }

/// The slots of a pipeline: which are free, what transfers the others have, how far each has been read and
/// written, and the requests that this takes.
struct SlotTable {
  private let shape: PipelineShape
  private let readsSource: Bool
  private let readsTarget: Bool
  private var slots: [Slot]
  private var segments: [SlotSegment]
  private var free: [Int]
  /// Slots by ticket; empty where nobody asks for them in the order of the plan.
  private var slotByTicket: [Int]
  /// Bytes of all transfers that have a slot.
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

  /// The segment that a byte of a slot's buffer belongs to.
  func segment(of slot: Int, at bufferByteOffset: Int) -> SlotSegment? {
    let first = slot * shape.segmentCountMax
    return segments[first..<first + slots[slot].segmentCount].last {
      $0.bufferByteOffset <= bufferByteOffset
    }
  }

  /// The slot with that ticket; nil where none has it.
  ///
  /// Precondition: the table was made for asking in order.
  func slot(withTicket ticket: UInt64) -> Int? {
    let slot = slotByTicket[Int(ticket % UInt64(slots.count))]
    guard slot >= 0, slots[slot].ticket == ticket else { return nil }
    return slot
  }

  /// Gives a free slot a transfer.
  ///
  /// Precondition: there is a free slot.
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

  // MARK: What happens to a slot

  /// How many reads a slot's transfer takes.
  private func readCount(_ slot: Int) -> Int { slots[slot].segmentCount + (readsTarget ? 1 : 0) }

  /// Whether every read of a slot has been asked for.
  @inline(__always)
  func hasAllReads(_ slot: Int) -> Bool { slots[slot].nextRead == readCount(slot) }

  /// Asks for the next read of a slot: its segments one after the other, then the target.
  ///
  /// Precondition: not all have been asked for.
  mutating func nextRead(_ slot: Int) -> IORequest {
    let index = slots[slot].nextRead
    slots[slot].nextRead += 1
    slots[slot].pendingReadCount += 1
    return index < slots[slot].segmentCount ? sourceRead(slot, segment: index) : targetRead(slot)
  }

  /// All bytes of a slot are there.
  @inline(__always)
  mutating func arrived(_ slot: Int) { slots[slot].state = .arrived }

  /// A slot's bytes are to be written.
  mutating func beginWrite(_ slot: Int, checksum: UInt32) {
    slots[slot].checksum = checksum
    slots[slot].state = .writing
  }

  /// A slot is to be read again piece by piece.
  mutating func beginSalvage(_ slot: Int) { slots[slot].state = .salvaging }

  /// A piece of a slot's transfer is to be written, from its first byte on.
  mutating func beginPiece(_ slot: Int) { slots[slot].writtenByteCount = 0 }

  // MARK: Requests

  /// The read of what a segment lacks.
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

  /// The read of what a slot lacks of the target.
  func targetRead(_ slot: Int) -> IORequest {
    let done = slots[slot].targetDoneByteCount
    return IORequest(
      .read, .target, byteOffset: slots[slot].range.start + UInt64(done),
      slabByteOffset: shape.targetBuffer(slot) + done,
      byteCount: roundedUp(slots[slot].byteCount - done, shape.targetAlignmentByteCount),
      tag: RequestTag.targetRead.tag(slot: slot))
  }

  /// The write of what has not been written of a slot's transfer.
  func write(_ slot: Int) -> IORequest {
    write(slots[slot].range, of: slot, .targetWrite)
  }

  /// The source's read of a unit of a salvage; nil for a transfer without segments.
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

  /// The target's read of a unit of a salvage.
  func targetRead(_ salvage: Salvage) -> IORequest {
    let slot = salvage.slot
    return IORequest(
      .read, .target, byteOffset: slots[slot].range.start + UInt64(salvage.position),
      slabByteOffset: shape.targetBuffer(slot) + salvage.position,
      byteCount: roundedUp(salvage.unitByteCount, shape.targetAlignmentByteCount),
      tag: RequestTag.salvageTarget.tag(slot: slot))
  }

  /// The write of what has not been written of a salvage's piece.
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

  /// Whether a slot's transfer is in the target's unaligned tail.
  func isInTail(_ slot: Int) -> Bool { isInTail(slots[slot].range) }

  private func isInTail(_ range: ByteRange) -> Bool { range.start >= shape.tailByteOffset }

  // MARK: Completions

  /// Notes bytes of a segment, or an error.
  @inline(__always)
  mutating func sourceArrived(_ slot: Int, segment index: Int, _ result: Int64) -> Arrival {
    let place = slot * shape.segmentCountMax + index
    let byteCount = segments[place].byteCount
    return Self.advance(
      &segments[place].doneByteCount, by: result, of: byteCount, shape.dataAlignmentByteCount)
  }

  /// Notes bytes of the target's side, or an error.
  mutating func targetArrived(_ slot: Int, _ result: Int64) -> Arrival {
    let byteCount = slots[slot].byteCount
    return Self.advance(
      &slots[slot].targetDoneByteCount, by: result, of: byteCount,
      shape.targetAlignmentByteCount)
  }

  /// Notes bytes that were written of a slot's transfer, or an error.
  mutating func written(_ slot: Int, _ result: Int64) -> Arrival {
    written(slot, result, of: slots[slot].byteCount)
  }

  /// Notes bytes that were written of a salvage's piece, or an error.
  mutating func written(_ slot: Int, _ result: Int64, of byteCount: Int) -> Arrival {
    Self.advance(
      &slots[slot].writtenByteCount, by: result, of: byteCount, shape.targetAlignmentByteCount)
  }

  /// Notes that a read of a slot is over.
  @inline(__always)
  mutating func endRead(_ slot: Int, isBad: Bool) {
    if isBad { slots[slot].hasBadSpot = true }
    slots[slot].pendingReadCount -= 1
  }

  // A short direct request goes on at the last aligned boundary, not where it stopped.
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

  /// Takes a slot's transfer away.
  mutating func release(_ slot: Int) {
    byteCount -= slots[slot].range.byteCount
    slots[slot].state = .free
    if !slotByTicket.isEmpty { slotByTicket[Int(slots[slot].ticket % UInt64(slots.count))] = -1 }
    free.append(slot)
  }
}

/// A first-in first-out queue of slots, as long as there are slots.
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

/// Slots of which the one with the lowest ticket comes first, as many as there are slots: a binary heap.
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

  /// Precondition: it is not empty.
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
