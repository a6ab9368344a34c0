internal import CAIO
internal import Glibc
package import SystemPackage

/// ``BlockIO`` on kernel AIO (libaio): one context, one slab, used by one thread.
///
/// Control blocks are kept in a fixed array, one per request; a completion names its control block by
/// index, so that neither submitting nor reaping allocates.
@safe package struct LinuxAIO: BlockIO, ~Copyable {
  package let requestCountMax: Int
  package private(set) var requestCount = 0
  package var slabByteCount: Int { slab.byteCount }

  /// How long `io_submit` took in all: it blocks when the device's own queue is full.
  package private(set) var submitDuration = Duration.zero

  private var slab: BufferSlab
  private var files: [IOFile: OpenFile]
  private let clock: Clock
  /// Nil where no requests in flight were wanted: making and destroying one costs tens of milliseconds.
  private let context: OpaquePointer?
  private let blocks: UnsafeMutablePointer<iocb>
  private let events: UnsafeMutablePointer<io_event>
  /// Tags of the callers, by control block.
  private var tags: [UInt64]
  /// Of flushes the file that is flushed, by control block; -1 of reads and writes.
  private var flushed: [CInt]
  private var freeBlocks: [Int]
  /// Enqueued and not yet taken by the kernel, in order: a ring as long as all control blocks.
  private let waiting: UnsafeMutablePointer<UnsafeMutablePointer<iocb>?>
  private var waitingCount = 0
  /// Completions that the kernel did not make: requests that `io_submit` refused.
  private var refused: [IOCompletion] = []
  private var descriptors: [CInt]
  private let isWaitOver: @Sendable () -> Bool
  /// The error that waiting came to.
  private var failure: Errno?

  /// How long a wait without a limit lasts before `isWaitOver` is asked.
  private static let waitAtOnce = Duration.milliseconds(200)

  /// How long the kernel has taken none of the requests, while it had none.
  private var shortage = Duration.zero
  private static let shortageStep = Duration.milliseconds(1)
  /// It is short of something that this process does not have.
  private static let shortageMax = Duration.seconds(10)

  /// - `requestCount`: requests wanted in flight, 0 if only `perform` is used; fewer are taken when
  ///   `fs.aio-max-nr` is used up.
  /// - `isWaitOver`: says when nobody waits any longer for what is in flight.
  /// - `note`: told when fewer were taken.
  /// - Throws: `MergeError` when not even one is to be had.
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
    // Quarters: a first queue must leave room for the second.
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
    // After a failed wait requests may be in flight that nothing can wait for. The context stays theirs, and
    // so does the slab.
    if failure == nil, let context = unsafe context {
      // Waits for what is in flight, so that the slab outlives every request.
      if requestCount > waitingCount || !(unsafe Self.destroyInBackground(context)) {
        unsafe io_destroy(context)
      }
    }
    unsafe blocks.deallocate()
    unsafe events.deallocate()
    unsafe waiting.deallocate()
  }

  /// Gives an idle context back on a thread of its own; false if there is none to be had.
  ///
  /// The kernel waits for two RCU grace periods even if nothing is in flight: tens of milliseconds.
  private static func destroyInBackground(_ context: OpaquePointer) -> Bool {
    // SAFETY: the context is the thread's alone from now on.
    nonisolated(unsafe) let context = unsafe context
    do throws(Errno) {
      try SystemThread(stackByteCount: 64 << 10) { unsafe io_destroy(context) }.detach()
      return true
    } catch {
      return false
    }
  }

  /// Lets requests be made to another file from now on.
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
    // SAFETY: the control block is free, so the kernel does not look at it; the buffer lies inside the
    // slab, which outlives the context. That nobody touches it in flight is the pipelines' promise.
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
      // SAFETY: `waiting` holds that many pointers to live control blocks.
      let taken = unsafe io_submit(context, waitingCount - first, waiting + first)
      if taken > 0 {
        first += Int(taken)
        shortage = .zero
      } else if taken == -EINTR {
        continue
      } else if taken == 0 || taken == -EAGAIN {
        break
      } else {
        // The first request is the one at fault; it completes with the error, as if the device had said so.
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
      // The kernel takes nothing just now, and nothing that it has could end the shortage.
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
      // What has completed by then is taken all the same.
      got = unsafe io_getevents(context, isOver ? 0 : wanted, room, events, &time)
      if isOver, got == 0, wanted > 0 { throw fail(.canceled) }
    } while got == 0 && wanted > 0 && timeout == nil
    // A signal (-EINTR) is no failure: the caller looks at its stop flag and comes again.
    guard got >= 0 || got == -EINTR || got == -EAGAIN else {
      throw fail(Errno(rawValue: -got))
    }
    for index in 0..<max(0, Int(got)) {
      let event = unsafe events + index
      unsafe finish(Int(caio_tag(event)), result: caio_result(event), into: &batch)
    }
  }

  /// Waits for the kernel to take requests, of which it has none; gives them back with its error where it takes none for
  /// long, or where nobody waits any longer.
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

  /// Takes note that completions cannot be learned of any more.
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

  /// Returns the result of a request, which of a flush comes from a call of its own where AIO has none.
  ///
  /// Linux has flushes by AIO since 4.18. One that is made later covers as much, and more.
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
    // SAFETY: the buffer lies inside the slab, and the call returns before anyone else uses it.
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
