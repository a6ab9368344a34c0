internal import SystemPackage

/// A queue that counts its reads and writes so that callers can keep at most `depth` of them in
/// flight.
struct RequestQueue<IO: BlockIO & ~Copyable>: ~Copyable {
  var io: IO
  private let depth: Int
  private(set) var readCount = 0
  private(set) var writeCount = 0
  private var batch = CompletionBatch()

  init(_ io: consuming IO, depth: Int) {
    self.io = io
    self.depth = depth
  }

  var isIdle: Bool { readCount + writeCount == 0 }
  var hasRoom: Bool { readCount + writeCount < depth }
  /// True if there is room for two reads: one from the source and one from the target.
  var hasRoomForBoth: Bool { readCount + writeCount + 2 <= depth }

  mutating func enqueueRead(_ request: IORequest) {
    io.enqueue(request)
    readCount += 1
  }

  mutating func enqueueWrite(_ request: IORequest) {
    io.enqueue(request)
    writeCount += 1
  }

  mutating func endRead() { readCount -= 1 }
  mutating func endWrite() { writeCount -= 1 }

  /// The number of requests that completed during the last wait.
  var completionCount: Int { batch.count }
  subscript(index: Int) -> IOCompletion { batch[index] }

  /// Submits enqueued requests, then waits for completions or the timeout.
  ///
  /// Waking up for each completion costs processor time, and half of the requests are enough to
  /// keep the devices busy, so the wait is for the other half. If more than half are slow, the
  /// timeout limits how long the completed ones wait.
  mutating func wait(_ timeout: Duration, forOne: Bool, clock: Clock) throws(Errno) {
    io.submit()
    if io.requestCount > 0 {
      let least = forOne ? 1 : max(1, io.requestCount / 2)
      try io.reap(atLeast: least, timeout: timeout, into: &batch)
    } else {
      batch.removeAll()
      clock.sleep(timeout)
    }
  }
}

/// The identity of a completed request: the kind of request, the slot, and the segment within the
/// slot.
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
