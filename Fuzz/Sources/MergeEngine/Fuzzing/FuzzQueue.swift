/// A ``BlockIO`` queue over bytes in memory that stops the process if a reader does anything
/// forbidden.
///
/// A reader must not write, read any other file, access bytes that have not been read, wait when no
/// request is in flight, or make an endless series of requests.
struct FuzzQueue: BlockIO, ~Copyable {
  /// The queue's behavior; a real device may behave in any of these ways.
  struct Manner {
    var target: IOFile
    /// The size of the device; bytes past the medium's end are zeros.
    var deviceByteCount: UInt64
    var requestCountMax = TreeWalker.requestCount
    var slabByteCount = TreeWalker.slabByteCount
    /// The seed for the order in which requests complete; 0 for the order in which they were made.
    var order: UInt8 = 0
    /// The request that fails, counted from 1; 0 for none.
    var failing = 0
    /// The request that completes with too few bytes, counted from 1; 0 for none.
    var short = 0
    /// The maximum number of requests; a reader that needs more is assumed never to finish.
    var requestTotalMax = 20_000
  }

  var requestCountMax: Int { manner.requestCountMax }
  var requestCount: Int { memory.requests.count }
  var slabByteCount: Int { manner.slabByteCount }
  var submitDuration: Duration { .zero }

  private let memory: FuzzMemory
  private let manner: Manner
  private var submittedCount = 0
  private var turn: UInt8 = 0

  init(_ memory: FuzzMemory, _ manner: Manner) {
    self.memory = memory
    self.manner = manner
  }

  mutating func enqueue(_ request: IORequest) {
    Finding.unless(requestCount < requestCountMax, "more requests than the queue takes")
    check(request)
    memory.take(request)
    memory.requests.append(request)
  }

  mutating func submit() { submittedCount = memory.requests.count }

  mutating func reap(atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch) {
    batch.removeAll()
    Finding.unless(submittedCount > 0, "waits for nothing, for ever")
    turn = turn &* 31 &+ manner.order
    let room = min(submittedCount, CompletionBatch.capacity)
    let count = manner.order == 0 ? room : max(min(minimum, room), 1 + Int(turn) % room)
    for _ in 0..<count {
      turn = turn &* 31 &+ manner.order
      let request = memory.requests.remove(at: Int(turn) % submittedCount)
      submittedCount -= 1
      batch.append(IOCompletion(tag: request.tag, result: serve(request)))
    }
  }

  mutating func perform(_ request: IORequest) -> Int64 {
    Finding.unless(requestCount == 0, "a request that is to be alone is not")
    check(request)
    memory.take(request)
    return serve(request)
  }

  @_lifetime(borrow self)
  borrowing func bytes(at slabByteOffset: Int, count byteCount: Int) -> RawSpan {
    Finding.unless(
      slabByteOffset >= 0 && byteCount >= 0 && slabByteOffset + byteCount <= slabByteCount,
      "bytes outside of the slab are looked at")
    let bytes = memory.slabBytes(at: slabByteOffset, count: byteCount)
    // SAFETY: the memory lives at least as long as the queue, which holds a reference to it.
    return unsafe _overrideLifetime(bytes, borrowing: self)
  }

  mutating func store(_ bytes: RawSpan, at slabByteOffset: Int) {
    Finding.stop("a reader stores bytes")
  }

  private func check(_ request: IORequest) {
    Finding.unless(request.operation == .read, "a reader asks to \(request.operation)")
    Finding.unless(request.file == manner.target, "another file is read: \(request.file)")
    Finding.unless(
      request.slabByteOffset >= 0 && request.byteCount >= 0
        && request.slabByteOffset <= slabByteCount - request.byteCount,
      "a request leaves the slab")
    Finding.unless(request.byteOffset <= UInt64(Int64.max), "a request leaves the device")
    memory.requestTotal += 1
    Finding.unless(
      memory.requestTotal <= manner.requestTotalMax, "more than \(manner.requestTotalMax) requests")
  }

  private func serve(_ request: IORequest) -> Int64 {
    if memory.requestTotal == manner.failing { return -5 }
    guard request.byteOffset < manner.deviceByteCount else { return 0 }
    var count = min(UInt64(request.byteCount), manner.deviceByteCount - request.byteOffset)
    if memory.requestTotal == manner.short { count /= 2 }
    memory.read(request, count: Int(count))
    return Int64(count)
  }
}
