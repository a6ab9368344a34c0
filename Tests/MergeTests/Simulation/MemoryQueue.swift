import Fixtures
import MergeEngine

/// ``BlockIO`` on a ``MemoryDisk``: takes fewer requests than offered, completes in any order and in
/// bursts, and copies bytes only when a request completes.
@safe struct MemoryQueue: BlockIO, ~Copyable {
  let requestCountMax: Int
  var requestCount: Int { waiting.count + inFlight.count }
  var slabByteCount: Int { slab.byteCount }
  private(set) var submitDuration = Duration.zero

  private let disk: MemoryDisk
  private var slab: BufferSlab
  private var waiting: [Enqueued] = []
  private var inFlight: [(enqueued: Enqueued, taken: MemoryDisk.Taken)] = []

  /// A request, and of a write the bytes that it had.
  private struct Enqueued {
    var request: IORequest
    var bytes: [UInt8] = []
  }

  init(_ disk: MemoryDisk, requestCount: Int, slabByteCount: Int) throws(MergeError) {
    self.disk = disk
    requestCountMax = requestCount
    slab = try BufferSlab(byteCount: slabByteCount)
  }

  mutating func enqueue(_ request: IORequest) {
    if requestCount >= requestCountMax { disk.stop("more than \(requestCountMax) requests") }
    checkSlab(request)
    checkOrigin(request)
    var enqueued = Enqueued(request: request)
    if request.operation == .write { enqueued.bytes = slabBytes(request) }
    waiting.append(enqueued)
  }

  mutating func submit() {
    guard !waiting.isEmpty else { return }
    let count =
      disk.generator.chance(oneIn: 3)
      ? .random(in: 0...waiting.count, using: &disk.generator) : waiting.count
    for enqueued in waiting.prefix(count) {
      inFlight.append((enqueued, disk.take(enqueued.request, bytes: enqueued.bytes)))
    }
    waiting.removeFirst(count)
    submitDuration += .microseconds(count)
  }

  mutating func reap(atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch) {
    batch.removeAll()
    disk.time.advance(by: .microseconds(.random(in: 20...2000, using: &disk.generator)))
    guard !inFlight.isEmpty else { return }
    disk.reaped?()
    // A signal may come before anything has completed.
    guard !disk.generator.chance(oneIn: 16) else { return }
    let room = min(inFlight.count, CompletionBatch.capacity)
    let least = min(max(1, minimum), room)
    let count =
      disk.generator.chance(oneIn: 2) ? least : .random(in: least...room, using: &disk.generator)
    for _ in 0..<count {
      let index = Int.random(in: 0..<inFlight.count, using: &disk.generator)
      inFlight.swapAt(index, inFlight.count - 1)
      guard let last = inFlight.popLast() else { return }
      let result = complete(last.enqueued, last.taken)
      batch.append(IOCompletion(tag: last.enqueued.request.tag, result: result))
    }
  }

  mutating func perform(_ request: IORequest) -> Int64 {
    if requestCount > 0 { disk.stop("a request by itself while others are in flight") }
    var enqueued = Enqueued(request: request)
    if request.operation == .write { enqueued.bytes = slabBytes(request) }
    disk.time.advance(by: .microseconds(10))
    return complete(enqueued, disk.take(request, bytes: enqueued.bytes))
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

  private mutating func complete(_ enqueued: Enqueued, _ taken: MemoryDisk.Taken) -> Int64 {
    let request = enqueued.request
    if request.operation == .flush {
      disk.flush(taken, fails: taken.error != nil)
      return taken.error ?? 0
    }
    if let error = taken.error { return error }
    switch request.operation {
    case .read:
      let bytes = disk.read(taken)
      slab.store(RawSpan(_elements: bytes.span), at: request.slabByteOffset)
    case .write:
      let now = slabBytes(request)
      if now != enqueued.bytes { disk.stop("bytes changed while they were written: \(request)") }
      disk.write(taken, now)
    case .flush: break
    }
    return Int64(taken.byteCount)
  }

  private borrowing func slabBytes(_ request: IORequest) -> [UInt8] {
    slab.bytes(at: request.slabByteOffset, count: request.byteCount)
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
    waiting.contains { isMeant($0.request) } || inFlight.contains { isMeant($0.enqueued.request) }
  }

  private borrowing func checkSlab(_ request: IORequest) {
    guard request.operation != .flush else { return }
    let range = request.slabByteOffset..<request.slabByteOffset + request.byteCount
    if overlaps(range, where: { _ in true }) {
      disk.stop("two requests in flight on the same bytes of the slab: \(request)")
    }
  }

  /// What may not be in flight on the origin together.
  private borrowing func checkOrigin(_ request: IORequest) {
    guard DiskFaults.Device(request.target) == .origin, request.operation != .flush else { return }
    let start = request.byteOffset
    let end = start + UInt64(request.byteCount)
    let writesBuffered = request.target == .originBuffered
    let collides = contains { other in
      guard DiskFaults.Device(other.target) == .origin, other.operation != .flush else {
        return false
      }
      // Neither may begin while one of the other kind is under way.
      if writesBuffered != (other.target == .originBuffered) { return true }
      // A buffered write works on whole pages.
      let page: UInt64 = other.target == .originBuffered ? 4096 : 1
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
