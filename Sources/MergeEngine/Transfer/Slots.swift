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

/// Whose a completion is: a kind, a slot, and a segment of it.
enum RequestTag: UInt8 {
  case sourceRead, targetRead, targetWrite
  case salvageSource, salvageTarget, salvageWrite
  case targetFlush, journalWrite, journalFlush

  var tag: UInt64 { UInt64(rawValue) << 56 }

  func tag(slot: Int, segment: Int = 0) -> UInt64 {
    tag | UInt64(slot) << 32 | UInt64(segment)
  }

  init?(of tag: UInt64) { self.init(rawValue: UInt8(tag >> 56)) }

  static func slot(of tag: UInt64) -> Int { Int(tag >> 32 & 0xFF_FFFF) }
  static func segment(of tag: UInt64) -> Int { Int(tag & 0xFFFF_FFFF) }
}
