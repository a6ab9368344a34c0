import Fixtures
import MergeEngine

/// The devices of a merge in memory, with injected faults and rules that no request may break.
///
/// A seed determines every random choice. A broken rule stops the disk: it keeps the violation and
/// fails every later operation, so the run ends soon.
final class SimulatedDisk {
  typealias Device = DiskFaults.Device

  let time = VirtualClock()
  var faults = DiskFaults()
  var generator: SeededGenerator
  /// The first broken rule.
  private(set) var violation: String?
  /// The unit of a direct request's offset and byte count, by device.
  let alignments: [Device: Int]
  /// The size of an atomic write on a device.
  let sectorByteCount: Int
  private(set) var devices: [Device: SimulatedDevice]
  /// Operations of this run so far, where a request counts twice: when taken and when completed.
  private(set) var operationCount = 0
  /// Reaps of this run so far of queues with requests in flight.
  private var reapCount = 0
  /// Requests of this run so far, by class.
  private(set) var counts: [DiskFaults.Class: Int] = [:]
  /// The operation, from 1, just before which the power fails.
  var cutsPowerAt: Int?
  /// The state at the power cut; every later operation fails.
  private(set) var powerCut: PowerCut?
  /// The rules for a merge; nil if no merge runs.
  var rules: MergeRules? = MergeRules()
  /// Ranges of the origin written in this run, one per request, in order of completion.
  private(set) var originWrites: [ByteRange] = []
  /// The range of the last origin write that was dropped or misdirected but reported as successful.
  private(set) var silentlyLost: ByteRange?
  /// Ranges of the data device read in this run.
  private(set) var dataReads: [ByteRange] = []
  /// Called with the bytes and offset of each journal write when the disk takes it.
  var journalIsWritten: (([UInt8], UInt64) -> Void)?
  /// Called at every reap of a queue with requests in flight.
  var reaped: (() -> Void)?
  /// Called when a request is taken (with nil) and when it ends (with 0 or a negative errno).
  var told: ((IORequest, Int64?) -> Void)?

  private var sequence: UInt64 = 0
  private var inFlight: [Int: Taken] = [:]

  /// A request taken by the device.
  struct Taken {
    var number: Int
    var request: IORequest
    var bytes: [UInt8]
    var error: Int64?
    /// The byte count completed if the request does not fail.
    var byteCount: Int
    /// The sequence number of the last write that a flush covers.
    var coveredSequence: UInt64
    /// The request's number within its class, from 1.
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

  /// Returns the devices after power is restored, with the surviving `contents`.
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

  // MARK: Random choices of its queues

  /// Returns true one time in `oneIn`, and never if `oneIn` is nil.
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

  /// Puts bytes on a device durably and without counting, as another program would.
  func put(_ bytes: [UInt8], on device: Device, at byteOffset: UInt64) {
    devices[device]?.put(bytes, at: byteOffset)
  }

  /// Grows or shrinks a device durably.
  func setByteCount(_ byteCount: UInt64, of device: Device) {
    devices[device]?.setByteCount(byteCount)
  }

  /// Makes a file durable, then serves reads from the medium, as for a newly opened file.
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

  /// Counts an operation and returns false if the power has failed.
  private func hasPower() -> Bool {
    guard powerCut == nil else { return false }
    operationCount += 1
    if operationCount == cutsPowerAt { powerCut = cutPower() }
    return powerCut == nil
  }

  /// Takes a request, assigns its number, and determines which writes a flush covers.
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

  /// Returns the completed byte count: less than requested past the device's end or when shortened.
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
  /// - Returns: Bytes done or a negative errno, and the bytes of a read.
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

  /// Writes a random number of the first sectors of a write that fails.
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
