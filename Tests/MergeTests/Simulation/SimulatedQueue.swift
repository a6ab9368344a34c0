import Fixtures
import MergeEngine
import SystemPackage

/// An implementation of ``BlockIO`` on a ``SimulatedDisk``.
///
/// The queue may take fewer requests than offered. It completes requests in any order and in
/// bursts, and copies bytes only at completion.
@safe struct SimulatedQueue: BlockIO, ~Copyable {
  let requestCountMax: Int
  var requestCount: Int { waiting.count + inFlight.count }
  var slabByteCount: Int { slab.byteCount }
  private(set) var submitDuration = Duration.zero

  private let disk: SimulatedDisk
  private let isWaitOver: @Sendable () -> Bool
  private var failure: Errno?
  private var slab: BufferSlab
  private var waiting: [Enqueued] = []
  private var inFlight: [SimulatedDisk.Taken] = []

  /// A request and, for a write, the bytes at the time it was enqueued.
  private struct Enqueued {
    var request: IORequest
    var bytes: [UInt8]
  }

  init(
    _ disk: SimulatedDisk, requestCount: Int, slabByteCount: Int,
    isWaitOver: @escaping @Sendable () -> Bool = { false }
  ) throws(MergeError) {
    self.disk = disk
    self.isWaitOver = isWaitOver
    requestCountMax = requestCount
    slab = try BufferSlab(byteCount: slabByteCount)
  }

  mutating func enqueue(_ request: IORequest) {
    if requestCount >= requestCountMax { disk.stop("more than \(requestCountMax) requests") }
    checkSlab(request)
    checkTarget(request)
    waiting.append(Enqueued(request: request, bytes: writtenBytes(request)))
  }

  mutating func submit() {
    guard !waiting.isEmpty else { return }
    var count = waiting.count
    if disk.chance(oneIn: disk.faults.takesFewerOneIn) { count = disk.random(in: 0...count) }
    for enqueued in waiting.prefix(count) {
      inFlight.append(disk.take(enqueued.request, bytes: enqueued.bytes))
    }
    waiting.removeFirst(count)
    submitDuration += .microseconds(count)
  }

  mutating func reap(
    atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch
  ) throws(Errno) {
    batch.removeAll()
    if let failure { throw failure }
    disk.time.advance(by: .microseconds(disk.random(in: 20...2000)))
    guard !inFlight.isEmpty else { return }
    if minimum > max(1, requestCount / 2) {
      disk.stop("a wait for more than half of \(requestCount) requests")
    }
    disk.reaped?()
    if isWaitOver() { failure = .canceled }
    if disk.countReap() { failure = .notPermitted }
    if let failure { throw failure }
    // Hanging requests come after all requests that complete.
    var answering = inFlight.filter { !disk.faults.hangs($0) }
    let hanging = inFlight.filter { disk.faults.hangs($0) }
    guard !answering.isEmpty else {
      disk.time.advance(by: timeout ?? .milliseconds(200))
      return
    }
    defer { inFlight = answering + hanging }
    let room = min(answering.count, CompletionBatch.capacity)
    let least = min(max(1, minimum), room)
    // A signal may come before any request, or before enough requests, have completed.
    let count =
      disk.chance(oneIn: disk.faults.interruptedReapOneIn)
      ? disk.random(in: 0...least - 1)
      : disk.chance(oneIn: 2) ? least : disk.random(in: least...room)
    for _ in 0..<count {
      let index = disk.random(in: 0...answering.count - 1)
      answering.swapAt(index, answering.count - 1)
      guard let taken = answering.popLast() else { return }
      batch.append(IOCompletion(tag: taken.request.tag, result: complete(taken)))
    }
  }

  mutating func perform(_ request: IORequest) -> Int64 {
    if requestCount > 0 { disk.stop("a request by itself while others are in flight") }
    disk.time.advance(by: .microseconds(10))
    return complete(disk.take(request, bytes: writtenBytes(request)))
  }

  @_lifetime(borrow self)
  borrowing func bytes(at slabByteOffset: Int, count byteCount: Int) -> RawSpan {
    let range = slabByteOffset..<slabByteOffset + byteCount
    if overlaps(range, where: { $0.operation == .read }) {
      disk.stop("a look at bytes that are being read: \(range)")
    }
    return slab.bytes(at: slabByteOffset, count: byteCount)
  }

  mutating func store(_ bytes: RawSpan, at slabByteOffset: Int) {
    let range = slabByteOffset..<slabByteOffset + bytes.byteCount
    if overlaps(range, where: { _ in true }) {
      disk.stop("a touch of bytes in flight: \(range)")
    }
    slab.store(bytes, at: slabByteOffset)
  }

  private mutating func complete(_ taken: SimulatedDisk.Taken) -> Int64 {
    let request = taken.request
    if !hasSameBytes(taken) {
      disk.stop("bytes changed while they were written: \(request)")
    }
    let done = disk.complete(taken)
    if request.operation == .read, done.result > 0 {
      slab.store(RawSpan(_elements: done.bytes.span), at: request.slabByteOffset)
    }
    return done.result
  }

  /// Returns true if the bytes of a write have not changed since it was enqueued.
  private borrowing func hasSameBytes(_ taken: SimulatedDisk.Taken) -> Bool {
    slab.bytes(at: taken.request.slabByteOffset, count: taken.bytes.count)
      .hasSameBytes(as: RawSpan(_elements: taken.bytes.span))
  }

  /// Returns the current bytes of a write, or an empty array for any other request.
  private borrowing func writtenBytes(_ request: IORequest) -> [UInt8] {
    guard request.operation == .write else { return [] }
    return slab.bytes(at: request.slabByteOffset, count: request.byteCount)
      .copiedBytes(at: 0, count: request.byteCount)
  }

  // MARK: Rules

  private borrowing func overlaps(
    _ range: Range<Int>, where isMeant: (IORequest) -> Bool
  ) -> Bool {
    contains { request in
      isMeant(request) && request.operation != .flush
        && request.slabByteOffset < range.upperBound
        && range.lowerBound < request.slabByteOffset + request.byteCount
    }
  }

  private borrowing func contains(_ isMeant: (IORequest) -> Bool) -> Bool {
    waiting.contains { isMeant($0.request) } || inFlight.contains { isMeant($0.request) }
  }

  private borrowing func checkSlab(_ request: IORequest) {
    guard request.operation != .flush else { return }
    let range = request.slabByteOffset..<request.slabByteOffset + request.byteCount
    if overlaps(range, where: { _ in true }) {
      disk.stop("two requests in flight on the same bytes of the slab: \(request)")
    }
  }

  /// Stops the disk if the request conflicts with another request in flight on the origin.
  private borrowing func checkTarget(_ request: IORequest) {
    guard DiskFaults.Device(request.file) == .target, request.operation != .flush else { return }
    let start = request.byteOffset
    let end = start + UInt64(request.byteCount)
    let writesBuffered = request.file == .targetBuffered
    let collides = contains { other in
      guard DiskFaults.Device(other.file) == .target, other.operation != .flush else {
        return false
      }
      // Direct and buffered requests must not be in flight together.
      if writesBuffered != (other.file == .targetBuffered) { return true }
      // A buffered write affects whole pages.
      let page: UInt64 = other.file == .targetBuffered ? 4096 : 1
      let otherStart = other.byteOffset.roundedDown(toMultipleOf: page)
      let otherEnd = (other.byteOffset + UInt64(other.byteCount)).roundedUp(toMultipleOf: page)
      let oneWrites = request.operation == .write || other.operation == .write
      return oneWrites && otherStart < end && start < otherEnd
    }
    guard collides else { return }
    disk.stop(
      writesBuffered
        ? "a buffered write while direct requests are in flight: \(request)"
        : "a request on bytes of the origin that are being written, or beside the tail: \(request)")
  }
}
