import Fixtures
import MergeEngine

/// The devices of a merge in memory, what goes wrong on them, and what must not be done to them.
///
/// Everything is drawn from a seed. What breaks a rule stops the disk: the violation is kept, and every
/// later operation fails, so that a run ends soon.
final class MemoryDisk {
  typealias Device = DiskFaults.Device

  let time = VirtualClock()
  var faults = DiskFaults()
  var generator: SeededGenerator
  /// The first rule that was broken.
  private(set) var violation: String?
  /// Every direct request's place and byte count is a multiple of this.
  let alignments: [Device: Int]
  private(set) var devices: [Device: SparseContent]
  /// Operations so far, by class.
  private(set) var counts: [DiskFaults.Class: Int] = [:]
  /// Ranges of the origin that were written in this run, one for each request, in order of completion.
  private(set) var originWrites: [ByteRange] = []
  /// Ranges of the data device that were read in this run.
  private(set) var dataReads: [ByteRange] = []
  /// Is told of bytes that are about to be written to the journal, and where.
  var journalIsWritten: (([UInt8], UInt64) -> Void)?
  /// Is told of every reap of a queue with requests in flight.
  var reaped: (() -> Void)?

  private var volatile: [Device: [Written]] = [:]
  private var sequence: UInt64 = 0
  private var journalWasFlushed = false

  /// A completed write that no flush has made durable.
  private struct Written {
    var range: ByteRange
    var sequence: UInt64
    /// A flush failed since: no later one makes it durable.
    var isLost = false
  }

  /// A request that the device has taken.
  struct Taken {
    var request: IORequest
    var error: Int64?
    /// How much of it is done, if it does not fail.
    var byteCount: Int
    /// A flush covers writes up to this one.
    var coveredSequence: UInt64
  }

  init(
    seed: UInt64, metadata: [UInt8], data: SparseContent, origin: SparseContent,
    dataAlignment: Int = 512, originAlignment: Int = 512
  ) {
    generator = SeededGenerator(seed: seed)
    alignments = [.metadata: 512, .data: dataAlignment, .origin: originAlignment, .journal: 1]
    devices = [
      .metadata: SparseContent(byteCount: UInt64(metadata.count), base: .bytes(metadata)),
      .data: data, .origin: origin, .journal: SparseContent(byteCount: 0, base: .zeros),
    ]
  }

  /// A disk that holds nothing but a journal.
  convenience init(journal: [UInt8]) {
    let empty = SparseContent(byteCount: 0, base: .zeros)
    self.init(seed: 0, metadata: [], data: empty, origin: empty)
    put(journal, on: .journal, at: 0)
  }

  subscript(device: Device) -> SparseContent {
    devices[device] ?? SparseContent(byteCount: 0, base: .zeros)
  }

  func alignment(of target: IOTarget) -> Int {
    target == .originBuffered ? 1 : alignments[Device(target)] ?? 1
  }

  /// Forgets what the run before did; nothing may be written before the journal is flushed again.
  func beginRun() {
    counts = [:]
    originWrites = []
    dataReads = []
    journalWasFlushed = false
  }

  func stop(_ violation: String) {
    if self.violation == nil { self.violation = violation }
  }

  // MARK: Outside the queues

  /// Puts bytes on a device, durably and without counting, as somebody else would.
  func put(_ bytes: [UInt8], on device: Device, at byteOffset: UInt64) {
    devices[device]?.write(bytes, at: byteOffset)
    let end = byteOffset + UInt64(bytes.count)
    extend(device, to: end)
    settle(ByteRange(start: byteOffset, end: end), on: device)
  }

  /// Makes a device longer or shorter.
  func setByteCount(_ byteCount: UInt64, of device: Device) {
    devices[device]?.byteCount = byteCount
  }

  private func extend(_ device: Device, to byteCount: UInt64) {
    let now = self[device].byteCount
    if byteCount > now { setByteCount(byteCount, of: device) }
  }

  /// Everything written so far is on the disk, as after an orderly shutdown.
  func settleAll() { volatile = [:] }

  /// Whether nothing of a range waits for a flush.
  func isDurable(_ range: ByteRange, on device: Device) -> Bool {
    volatile[device]?.contains { $0.range.start < range.end && range.start < $0.range.end } != true
  }

  // MARK: For queues

  /// The device takes a request: now its number is known, and what a flush covers.
  func take(_ request: IORequest, bytes: [UInt8]) -> Taken {
    let device = Device(request.target)
    let kind = DiskFaults.Class(request.operation, device)
    let number = (counts[kind] ?? 0) + 1
    counts[kind] = number
    check(request)
    var taken = Taken(
      request: request, error: faults.error(request, number: number),
      byteCount: request.byteCount, coveredSequence: sequence)
    if !isAligned(request) { taken.error = DiskFaults.invalidArgument }
    if violation != nil { taken.error = taken.error ?? DiskFaults.inputOutputError }
    if request.operation == .read {
      let left = self[device].byteCount - min(self[device].byteCount, request.byteOffset)
      taken.byteCount = Int(min(UInt64(request.byteCount), left))
    }
    if let oneIn = faults.shortOneIn[kind], generator.chance(oneIn: oneIn) {
      let unit = max(alignment(of: request.target), device == .journal ? 1 : 512)
      if request.byteCount > max(unit, device == .journal ? 1 : 4096),
        taken.byteCount == request.byteCount
      {
        let units = (request.byteCount - 1) / unit
        taken.byteCount = .random(in: 1...units, using: &generator) * unit
      }
    }
    if kind == DiskFaults.Class(.write, .journal), taken.error == nil {
      journalIsWritten?(bytes, request.byteOffset)
    }
    return taken
  }

  /// The bytes that a read finds.
  func read(_ taken: Taken) -> [UInt8] {
    let request = taken.request
    if Device(request.target) == .data { dataReads.append(range(of: request, taken.byteCount)) }
    return self[Device(request.target)].bytes(at: request.byteOffset, count: taken.byteCount)
  }

  func write(_ taken: Taken, _ bytes: [UInt8]) {
    let request = taken.request
    let device = Device(request.target)
    let range = range(of: request, taken.byteCount)
    devices[device]?.write(
      bytes.count == taken.byteCount ? bytes : Array(bytes.prefix(taken.byteCount)),
      at: request.byteOffset)
    extend(device, to: range.end)
    settle(range, on: device)
    sequence += 1
    volatile[device, default: []].append(Written(range: range, sequence: sequence))
    if device == .origin { originWrites.append(range) }
  }

  func flush(_ taken: Taken, fails: Bool) {
    let device = Device(taken.request.target)
    guard !fails else {
      // The writes stay readable and are gone all the same.
      for index in (volatile[device] ?? []).indices { volatile[device]?[index].isLost = true }
      return
    }
    volatile[device]?.removeAll { !$0.isLost && $0.sequence <= taken.coveredSequence }
    if device == .journal { journalWasFlushed = true }
  }

  // MARK: Rules

  private func check(_ request: IORequest) {
    let device = Device(request.target)
    if !isAligned(request) { stop("a misaligned request: \(request)") }
    guard request.operation == .write else { return }
    let end = request.byteOffset + UInt64(request.byteCount)
    switch device {
    case .metadata, .data: stop("a write to the source: \(request)")
    case .origin:
      if end > self[.origin].byteCount { stop("a write behind the origin's end: \(request)") }
      if !journalWasFlushed { stop("a write to the origin before the journal is durable") }
    case .journal:
      // An append begins in a block of its own, whatever a torn one left behind.
      if request.byteOffset != self[.journal].byteCount.roundedUp(toMultipleOf: 4096) {
        stop("a record at byte \(request.byteOffset) of a journal of \(self[.journal].byteCount)")
      }
    }
  }

  private func isAligned(_ request: IORequest) -> Bool {
    guard request.operation != .flush else { return true }
    let unit = alignment(of: request.target)
    return request.byteOffset.isMultiple(of: UInt64(unit))
      && request.byteCount.isMultiple(of: unit) && request.slabByteOffset.isMultiple(of: unit)
  }

  /// What was written before to these bytes need not become durable any more.
  private func settle(_ range: ByteRange, on device: Device) {
    guard !isDurable(range, on: device) else { return }
    volatile[device] = volatile[device]?.flatMap { old in
      guard old.range.start < range.end, range.start < old.range.end else { return [old] }
      var parts: [Written] = []
      for (start, end) in [(old.range.start, range.start), (range.end, old.range.end)]
      where start < end {
        var part = old
        part.range = ByteRange(start: start, end: end)
        parts.append(part)
      }
      return parts
    }
  }

  private func range(of request: IORequest, _ byteCount: Int) -> ByteRange {
    ByteRange(start: request.byteOffset, end: request.byteOffset + UInt64(byteCount))
  }
}
