import Fixtures
import MergeEngine

/// The simulated devices of an in-memory merge, with injected faults and rules for requests.
///
/// A seed determines every random choice. If a request breaks a rule, the disk records the
/// violation and fails every later operation, so that the run ends soon.
final class SimulatedDisk {
  typealias Device = DiskFaults.Device

  let time = VirtualClock()
  var faults = DiskFaults()
  var generator: SeededGenerator
  /// A description of the first rule violation; nil if there was none.
  private(set) var violation: String?
  /// The required alignment of the offset and byte count of a direct request, by device.
  let alignments: [Device: Int]
  /// The number of bytes that a device writes atomically.
  let sectorByteCount: Int
  private(set) var devices: [Device: SimulatedDevice]
  /// The number of operations in this run so far.
  ///
  /// A request counts twice: once when taken and once when completed.
  private(set) var operationCount = 0
  /// The number of reaps in this run so far, not counting queues with nothing in flight.
  private var reapCount = 0
  /// The number of requests in this run so far, by class.
  private(set) var counts: [DiskFaults.Class: Int] = [:]
  /// The operation, counted from 1, just before which the power fails.
  var cutsPowerAt: Int?
  /// The state at the power cut, after which every operation fails; nil before a power cut.
  private(set) var powerCut: PowerCut?
  /// The rules that the requests of a merge must follow; nil if no merge is running.
  var rules: MergeRules? = MergeRules()
  /// The ranges of the origin written in this run, one per request, in order of completion.
  private(set) var originWrites: [ByteRange] = []
  /// The range of the last origin write that was dropped or misdirected but reported as successful.
  private(set) var silentlyLost: ByteRange?
  /// The ranges of the data device read in this run.
  private(set) var dataReads: [ByteRange] = []
  /// A callback invoked with the bytes and offset of each journal write that the disk takes.
  var journalIsWritten: (([UInt8], UInt64) -> Void)?
  /// A callback invoked at every reap of a queue that has requests in flight.
  var reaped: (() -> Void)?
  /// A callback invoked when a request is taken (nil) and when it ends (0 or a negative errno).
  var told: ((IORequest, Int64?) -> Void)?

  private var sequence: UInt64 = 0
  private var inFlight: [Int: Taken] = [:]

  /// A request that a device has taken.
  struct Taken {
    var number: Int
    var request: IORequest
    var bytes: [UInt8]
    var error: Int64?
    /// The number of bytes that the request completes if it does not fail.
    var byteCount: Int
    /// For a flush, the sequence number of the last write covered.
    var coveredSequence: UInt64
    /// The position of the request among those of its class, counted from 1.
    var classNumber: Int
  }

  init(
    seed: UInt64, contents: [Device: SparseContent], dataAlignment: Int = 512,
    originAlignment: Int = 512, sectorByteCount: Int = 512
  ) {
    generator = SeededGenerator(seed: seed)
    alignments = [.metadata: 512, .data: dataAlignment, .target: originAlignment, .journal: 1]
    self.sectorByteCount = sectorByteCount
    devices = contents.mapValues { SimulatedDevice($0) }
  }

  /// Creates a disk that contains only a journal.
  convenience init(journal: [UInt8]) {
    self.init(
      seed: 0,
      contents: [.journal: SparseContent(byteCount: UInt64(journal.count), base: .bytes(journal))])
  }

  /// Returns the devices as they are after power is restored, with the surviving `contents`.
  func afterPowerCut(_ contents: [Device: SparseContent], seed: UInt64) -> SimulatedDisk {
    SimulatedDisk(
      seed: seed, contents: contents, dataAlignment: alignments[.data] ?? 512,
      originAlignment: alignments[.target] ?? 512, sectorByteCount: sectorByteCount)
  }

  subscript(device: Device) -> SparseContent {
    devices[device]?.content ?? SparseContent(byteCount: 0, base: .zeros)
  }

  func alignment(of target: IOFile) -> Int {
    target == .targetBuffered ? 1 : alignments[Device(target)] ?? 1
  }

  /// Resets the counts and records of the previous run.
  func beginRun() {
    counts = [:]
    operationCount = 0
    reapCount = 0
    originWrites = []
    dataReads = []
    rules?.beginRun()
  }

  func stop(_ violation: String) {
    if self.violation == nil { self.violation = violation }
  }

  // MARK: Random choices for the queues

  /// Returns true at random, once in `oneIn` calls on average; never if `oneIn` is nil.
  func chance(oneIn: Int?) -> Bool {
    guard let oneIn else { return false }
    return generator.chance(oneIn: oneIn)
  }

  /// Counts a reap and returns true if the reap must fail.
  func countReap() -> Bool {
    reapCount += 1
    return faults.failingReapFrom.map { reapCount >= $0 } ?? false
  }

  func random(in range: ClosedRange<Int>) -> Int { .random(in: range, using: &generator) }

  // MARK: Outside the queues

  /// Writes bytes durably to a device, as another program would, without counting an operation.
  func put(_ bytes: [UInt8], on device: Device, at byteOffset: UInt64) {
    devices[device]?.put(bytes, at: byteOffset)
  }

  /// Grows or shrinks a device durably.
  func setByteCount(_ byteCount: UInt64, of device: Device) {
    devices[device]?.setByteCount(byteCount)
  }

  /// Makes a file's content durable, then serves reads from the medium, as if newly opened.
  func reopen(_ device: Device) {
    devices[device]?.flush(upTo: .max)
    devices[device]?.forgetLost()
  }

  /// Returns true if no part of the range is waiting for a flush.
  func isDurable(_ range: ByteRange, on device: Device) -> Bool {
    devices[device]?.isDurable(range) != false
  }

  /// Returns the state that a power cut at this moment would leave.
  func cutPower() -> PowerCut {
    PowerCut(
      devices: devices,
      inFlight: inFlight.values.sorted { $0.number < $1.number }.compactMap { taken in
        guard taken.request.operation == .write, taken.error == nil else { return nil }
        return (
          Device(taken.request.file), taken.request.byteOffset,
          Array(taken.bytes.prefix(taken.byteCount))
        )
      },
      sectorByteCount: sectorByteCount)
  }

  // MARK: For queues

  /// Counts an operation, and returns false if the power has failed.
  private func hasPower() -> Bool {
    guard powerCut == nil else { return false }
    operationCount += 1
    if operationCount == cutsPowerAt { powerCut = cutPower() }
    return powerCut == nil
  }

  /// Takes a request, numbers it, and, if it is a flush, determines which writes it covers.
  func take(_ request: IORequest, bytes: [UInt8]) -> Taken {
    let device = Device(request.file)
    let kind = DiskFaults.Class(request.operation, device)
    var taken = Taken(
      number: operationCount + 1, request: request, bytes: bytes,
      error: DiskFaults.inputOutputError, byteCount: request.byteCount, coveredSequence: sequence,
      classNumber: (counts[kind] ?? 0) + 1)
    guard hasPower() else { return taken }
    counts[kind] = taken.classNumber
    if !isAligned(request) { stop("a misaligned request: \(request)") }
    rules?.check(request, on: self)
    taken.error = faults.error(request, number: taken.classNumber, using: &generator)
    if !isAligned(request) { taken.error = DiskFaults.invalidArgument }
    if violation != nil { taken.error = taken.error ?? DiskFaults.inputOutputError }
    taken.byteCount = doneByteCount(of: request, kind)
    if kind == DiskFaults.Class(.write, .journal), taken.error == nil {
      journalIsWritten?(bytes, request.byteOffset)
    }
    inFlight[taken.number] = taken
    told?(request, nil)
    return taken
  }

  /// Returns the number of bytes that a request completes.
  ///
  /// The number is less than requested if a read extends past the end of the device, or if a fault
  /// shortens the request.
  private func doneByteCount(of request: IORequest, _ kind: DiskFaults.Class) -> Int {
    if request.operation == .read {
      let byteCount = self[kind.device].byteCount
      let left = byteCount - min(byteCount, request.byteOffset)
      guard UInt64(request.byteCount) <= left else { return Int(left) }
    }
    guard let oneIn = faults.shortOneIn[kind], generator.chance(oneIn: oneIn) else {
      return request.byteCount
    }
    let unit = kind.device == .journal ? 1 : max(alignment(of: request.file), 512)
    guard request.byteCount > (kind.device == .journal ? unit : max(unit, 4096)) else {
      return request.byteCount
    }
    return .random(in: 1...(request.byteCount - 1) / unit, using: &generator) * unit
  }

  /// Completes a request.
  ///
  /// - Returns: The number of bytes completed or a negative errno, and the bytes of a read.
  func complete(_ taken: Taken) -> (result: Int64, bytes: [UInt8]) {
    guard hasPower() else { return (DiskFaults.inputOutputError, []) }
    inFlight[taken.number] = nil
    let request = taken.request
    let device = Device(request.file)
    told?(request, taken.error ?? 0)
    switch request.operation {
    case .flush:
      flush(taken, device)
      return (taken.error ?? 0, [])
    case .read:
      guard taken.error == nil else { break }
      if device == .data { dataReads.append(range(of: request, taken.byteCount)) }
      var bytes = self[device].bytes(at: request.byteOffset, count: taken.byteCount)
      faults.flip(&bytes, of: request, using: &generator)
      return (Int64(taken.byteCount), bytes)
    case .write:
      guard taken.error == nil else {
        if taken.error == DiskFaults.inputOutputError { writeInPart(taken, device) }
        break
      }
      write(taken, device)
      return (Int64(taken.byteCount), [])
    }
    return (taken.error ?? DiskFaults.inputOutputError, [])
  }

  private func write(_ taken: Taken, _ device: Device) {
    let range = range(of: taken.request, taken.byteCount)
    if device == .target { originWrites.append(range) }
    sequence += 1
    let place = faults.place(ofWrite: taken, device)
    if place != range.start { silentlyLost = range }
    guard let place else { return }
    devices[device]?.write(
      Array(taken.bytes.prefix(taken.byteCount)), at: place, sequence: sequence)
  }

  /// Performs part of a failed write: a random number of its leading sectors.
  private func writeInPart(_ taken: Taken, _ device: Device) {
    guard violation == nil else { return }
    let unit = max(sectorByteCount, alignment(of: taken.request.file))
    let byteCount =
      .random(in: 0...taken.request.byteCount / unit, using: &generator) * unit
    guard byteCount > 0 else { return }
    sequence += 1
    devices[device]?.write(
      Array(taken.bytes.prefix(byteCount)), at: taken.request.byteOffset, sequence: sequence)
  }

  private func flush(_ taken: Taken, _ device: Device) {
    if taken.error != nil {
      devices[device]?.loseCache()
    } else if !faults.lyingFlushes.contains(device) {
      devices[device]?.flush(upTo: taken.coveredSequence)
    }
  }

  private func isAligned(_ request: IORequest) -> Bool {
    guard request.operation != .flush else { return true }
    let unit = alignment(of: request.file)
    return request.byteOffset.isMultiple(of: UInt64(unit))
      && request.byteCount.isMultiple(of: unit) && request.slabByteOffset.isMultiple(of: unit)
  }

  private func range(of request: IORequest, _ byteCount: Int) -> ByteRange {
    ByteRange(start: request.byteOffset, end: request.byteOffset + UInt64(byteCount))
  }
}
