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
  /// Reads that were not enqueued yet begin with this one; the origin's comes last.
  var nextRead = 0
  var pendingReadCount = 0
  var hasBadSpot = false
  /// Bytes of the origin's side that have been read, and of the write that have been written.
  var originDoneByteCount = 0
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
