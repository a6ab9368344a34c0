internal import CAIO
internal import Glibc
package import SystemPackage

/// A ``BlockIO`` queue that uses kernel AIO (libaio), with one context and one slab, for a single
/// thread.
///
/// Control blocks are kept in a fixed array, one per request. A completion identifies its control
/// block by index, so neither submitting nor reaping allocates.
@safe package struct LinuxAIO: BlockIO, ~Copyable {
  package let requestCountMax: Int
  package private(set) var requestCount = 0
  package var slabByteCount: Int { slab.byteCount }

  /// The total time spent in `io_submit`, which blocks when the device's own queue is full.
  package private(set) var submitDuration = Duration.zero

  private var slab: BufferSlab
  private var files: [IOFile: OpenFile]
  private let clock: Clock
  /// The AIO context; nil if the queue was created with room for no requests.
  ///
  /// Creating and destroying a context takes tens of milliseconds.
  private let context: OpaquePointer?
  private let blocks: UnsafeMutablePointer<iocb>
  private let events: UnsafeMutablePointer<io_event>
  /// The callers' tags, indexed by control block.
  private var tags: [UInt64]
  /// The file descriptor that each flush applies to, indexed by control block; -1 for reads and
  /// writes.
  private var flushed: [CInt]
  private var freeBlocks: [Int]
  /// Enqueued requests that the kernel has not accepted yet, in order, with room for all control
  /// blocks.
  private let waiting: UnsafeMutablePointer<UnsafeMutablePointer<iocb>?>
  private var waitingCount = 0
  /// Completions of requests that `io_submit` rejected.
  private var refused: [IOCompletion] = []
  private var descriptors: [CInt]
  private let isWaitOver: @Sendable () -> Bool
  /// The error that made waiting impossible; every later `reap` throws this error.
  private var failure: Errno?

  /// The maximum wait between two calls to `isWaitOver` when there is no timeout.
  private static let waitAtOnce = Duration.milliseconds(200)

  /// The length of time during which the kernel has accepted no requests while none were in flight.
  private var shortage = Duration.zero
  private static let shortageStep = Duration.milliseconds(1)
  /// The time after which the kernel is assumed to lack a resource that this process cannot free.
  private static let shortageMax = Duration.seconds(10)

  /// Creates a queue.
  ///
  /// - `requestCount`: the number of requests wanted in flight, or 0 if only `perform` is used;
  ///   fewer are allocated if `fs.aio-max-nr` is exhausted.
  /// - `atLeast`: the smallest number of requests to try.
  /// - `isWaitOver`: a closure that returns true once the queue must stop waiting for requests in
  ///   flight.
  /// - `note`: called if fewer requests were allocated than wanted.
  /// - Throws: `MergeError` if not even the minimum is available.
  package init(
    requestCount wanted: Int, atLeast minimum: Int = 1, slabByteCount: Int,
    files: [IOFile: OpenFile], clock: Clock,
    isWaitOver: @escaping @Sendable () -> Bool = { false },
    note: (MergeNote) -> Void = { _ in }
  ) throws(MergeError) {
    let slab = try BufferSlab(byteCount: slabByteCount, pages: .large)
    var taken = wanted
    var context: OpaquePointer?
    var status = wanted == 0 ? 0 : unsafe io_setup(CInt(taken), &context)
    // The number is quartered each time, so that a first queue leaves room for a second one.
    while status == -EAGAIN, taken > minimum {
      taken = max(minimum, taken / 4)
      status = unsafe io_setup(CInt(taken), &context)
    }
    guard status == 0 else {
      throw status == -EAGAIN
        ? MergeError.requestsUsedUp() : .noAsynchronousIO(Errno(rawValue: -status))
    }
    if taken < wanted {
      note(.fewerRequests(taken, of: wanted))
    }
    unsafe self.context = context
    self.slab = slab
    self.files = files
    self.clock = clock
    self.isWaitOver = isWaitOver
    requestCountMax = taken
    unsafe blocks = .allocate(capacity: taken)
    unsafe blocks.initialize(repeating: iocb(), count: taken)
    unsafe events = .allocate(capacity: CompletionBatch.capacity)
    unsafe events.initialize(repeating: io_event(), count: CompletionBatch.capacity)
    unsafe waiting = .allocate(capacity: taken)
    unsafe waiting.initialize(repeating: nil, count: taken)
    tags = Array(repeating: 0, count: taken)
    flushed = Array(repeating: -1, count: taken)
    freeBlocks = Array((0..<taken).reversed())
    descriptors = IOFile.allCases.map { files[$0]?.descriptor ?? -1 }
  }

  deinit {
    // After a failed wait, requests may still be in flight, and nothing can wait for them. The
    // context and the slab are left in place for those requests.
    if failure == nil, let context = unsafe context {
      // io_destroy waits for requests in flight, so the slab outlives every request.
      if requestCount > waitingCount || !(unsafe Self.destroyInBackground(context)) {
        unsafe io_destroy(context)
      }
    }
    unsafe blocks.deallocate()
    unsafe events.deallocate()
    unsafe waiting.deallocate()
  }

  /// Destroys an idle context on a separate thread; returns false if no thread can be started.
  ///
  /// Even if nothing is in flight, the kernel waits for two RCU grace periods, which takes tens of
  /// milliseconds.
  private static func destroyInBackground(_ context: OpaquePointer) -> Bool {
    // SAFETY: from here on, only the new thread uses the context.
    nonisolated(unsafe) let context = unsafe context
    do throws(Errno) {
      try SystemThread(stackByteCount: 64 << 10) { unsafe io_destroy(context) }.detach()
      return true
    } catch {
      return false
    }
  }

  /// Makes `file` available to requests as `name`.
  package mutating func open(_ file: OpenFile, as name: IOFile) {
    files[name] = file
    descriptors[Int(name.rawValue)] = file.descriptor
  }

  package mutating func enqueue(_ request: IORequest) {
    guard let index = freeBlocks.popLast() else { preconditionFailure("more requests than taken") }
    let descriptor = descriptors[Int(request.file.rawValue)]
    precondition(descriptor >= 0, "the file is not open")
    tags[index] = request.tag
    flushed[index] = request.operation == .flush ? descriptor : -1
    // SAFETY: the control block is free, so the kernel does not access it; the buffer lies inside
    // the slab, which outlives the context. The pipelines guarantee that nothing touches the buffer
    // while the request is in flight.
    let block = unsafe blocks + index
    switch request.operation {
    case .read:
      unsafe caio_prepare_read(
        block, descriptor, slab.address(at: request.slabByteOffset, count: request.byteCount),
        request.byteCount, Int64(request.byteOffset))
    case .write:
      unsafe caio_prepare_write(
        block, descriptor, slab.address(at: request.slabByteOffset, count: request.byteCount),
        request.byteCount, Int64(request.byteOffset))
    case .flush:
      unsafe caio_prepare_fdatasync(block, descriptor)
    }
    unsafe caio_set_tag(block, UInt64(index))
    unsafe waiting[waitingCount] = block
    waitingCount += 1
    requestCount += 1
  }

  package mutating func submit() {
    guard waitingCount > 0, let context = unsafe context else { return }
    let start = clock.now()
    var first = 0
    while first < waitingCount {
      // SAFETY: `waiting` contains that many pointers to live control blocks.
      let taken = unsafe io_submit(context, waitingCount - first, waiting + first)
      if taken > 0 {
        first += Int(taken)
        shortage = .zero
      } else if taken == -EINTR {
        continue
      } else if taken == 0 || taken == -EAGAIN {
        break
      } else {
        // The first request is at fault, so it completes with the error, as if the device had
        // returned that error.
        guard let block = unsafe waiting[first] else { break }
        let index = unsafe block - blocks
        refused.append(IOCompletion(tag: UInt64(index), result: Int64(taken)))
        first += 1
      }
    }
    submitDuration += clock.now() - start
    for index in first..<waitingCount { unsafe waiting[index - first] = unsafe waiting[index] }
    waitingCount -= first
  }

  package mutating func reap(
    atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch
  ) throws(Errno) {
    batch.removeAll()
    if let failure { throw failure }
    while let completion = refused.last, batch.count < CompletionBatch.capacity {
      refused.removeLast()
      finish(Int(completion.tag), result: completion.result, into: &batch)
    }
    let inKernel = requestCount - waitingCount
    guard inKernel > 0, let context = unsafe context else {
      // The kernel accepts nothing right now, and nothing is in flight whose completion could end
      // the shortage.
      if waitingCount > 0, batch.count == 0 { waitForKernel() }
      return
    }
    let room = CompletionBatch.capacity - batch.count
    guard room > 0 else { return }
    let wanted = max(0, min(minimum - batch.count, inKernel, room))
    var got: CInt = 0
    repeat {
      let isOver = isWaitOver()
      let parts = (isOver ? .zero : timeout ?? Self.waitAtOnce).components
      var time = timespec(
        tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
      // Requests that have completed by then are reaped even if the wait is over.
      got = unsafe io_getevents(context, isOver ? 0 : wanted, room, events, &time)
      if isOver, got == 0, wanted > 0 { throw fail(.canceled) }
    } while got == 0 && wanted > 0 && timeout == nil
    // A signal (-EINTR) is not a failure: the caller checks its stop flag and calls again.
    guard got >= 0 || got == -EINTR || got == -EAGAIN else {
      throw fail(Errno(rawValue: -got))
    }
    for index in 0..<max(0, Int(got)) {
      let event = unsafe events + index
      unsafe finish(Int(caio_tag(event)), result: caio_result(event), into: &batch)
    }
  }

  /// Waits for the kernel to accept requests when none are in flight.
  ///
  /// Fails all waiting requests with `EAGAIN` if the kernel has accepted none for too long, or if
  /// `isWaitOver` returns true.
  private mutating func waitForKernel() {
    shortage += Self.shortageStep
    guard shortage > Self.shortageMax || isWaitOver() else { return clock.sleep(Self.shortageStep) }
    for index in 0..<waitingCount {
      guard let block = unsafe waiting[index] else { continue }
      refused.append(
        IOCompletion(tag: UInt64(unsafe block - blocks), result: -Int64(Errno.wouldBlock.rawValue)))
    }
    waitingCount = 0
    shortage = .zero
  }

  /// Records that completions can no longer be received, and keeps the slab's memory.
  private mutating func fail(_ errno: Errno) -> Errno {
    failure = errno
    slab.keep()
    return errno
  }

  private mutating func finish(_ index: Int, result: Int64, into batch: inout CompletionBatch) {
    let answered = Self.flushResult(of: flushed[index], result)
    batch.append(IOCompletion(tag: tags[index], result: answered))
    freeBlocks.append(index)
    requestCount -= 1
  }

  /// Returns the result of a request; if AIO does not support the flush, calls `fdatasync` instead.
  ///
  /// Linux has supported AIO flushes since version 4.18. Since `fdatasync` runs later than the
  /// failed flush, it covers at least the same writes.
  static func flushResult(of descriptor: CInt, _ result: Int64) -> Int64 {
    guard descriptor >= 0, result == -Int64(EINVAL) else { return result }
    do throws(Errno) {
      try uninterrupted { fdatasync(descriptor) }
      return 0
    } catch {
      return -Int64(error.rawValue)
    }
  }

  package mutating func perform(_ request: IORequest) -> Int64 {
    precondition(requestCount == 0)
    let descriptor = descriptors[Int(request.file.rawValue)]
    precondition(descriptor >= 0, "the file is not open")
    // SAFETY: the buffer lies inside the slab, and the call returns before anything else uses the
    // buffer.
    let buffer = unsafe slab.address(at: request.slabByteOffset, count: request.byteCount)
    while true {
      let result =
        switch request.operation {
        case .read: unsafe pread(descriptor, buffer, request.byteCount, off_t(request.byteOffset))
        case .write: unsafe pwrite(descriptor, buffer, request.byteCount, off_t(request.byteOffset))
        case .flush: Int(fdatasync(descriptor))
        }
      if result >= 0 { return Int64(result) }
      let error = Errno.current
      if error != .interrupted { return -Int64(error.rawValue) }
    }
  }

  @_lifetime(borrow self)
  package borrowing func bytes(at slabByteOffset: Int, count byteCount: Int) -> RawSpan {
    slab.bytes(at: slabByteOffset, count: byteCount)
  }

  package mutating func store(_ bytes: RawSpan, at slabByteOffset: Int) {
    slab.store(bytes, at: slabByteOffset)
  }
}
