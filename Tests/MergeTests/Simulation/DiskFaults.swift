import Fixtures
import MergeEngine

/// The faults that a simulated disk injects, each of which can be enabled separately.
struct DiskFaults {
  /// A device that can have faults.
  ///
  /// The direct and buffered origin files count as one device.
  enum Device: Hashable, CaseIterable {
    case metadata, data, target, journal

    init(_ file: IOFile) {
      switch file {
      case .metadata: self = .metadata
      case .data: self = .data
      case .target, .targetBuffered: self = .target
      case .journal: self = .journal
      }
    }
  }

  /// A class of operations that are counted, so that a given one can be made to fail.
  struct Class: Hashable, CustomStringConvertible {
    var operation: IORequest.Operation
    var device: Device

    init(_ operation: IORequest.Operation, _ device: Device) {
      self.operation = operation
      self.device = device
    }

    var description: String { "\(operation) \(device)" }
  }

  /// A byte range in which operations always fail.
  struct BadRange {
    var kind: Class
    var range: ByteRange
  }

  /// The actual fate of a write that the device reports as successful.
  enum SilentFault {
    /// The write is discarded.
    case dropped
    /// The write lands `by` bytes past the intended offset.
    case misdirected(by: UInt64)
  }

  static let inputOutputError: Int64 = -5
  static let invalidArgument: Int64 = -22
  static let noSpace: Int64 = -28

  // MARK: Errors

  var badRanges: [BadRange] = []
  /// The operation that fails once, counted from 1 within its class.
  var failing: [Class: Int] = [:]
  /// The operation, counted from 1 within its class, that fails along with all later operations.
  var failingFrom: [Class: Int] = [:]
  /// The operation, counted from 1 within its class, that fails along with all earlier operations.
  var failingUpTo: [Class: Int] = [:]
  /// The failure rate by class: on average, one in this many operations fails.
  var failingOneIn: [Class: Int] = [:]
  /// The first of the writes that fail with ENOSPC, counted from 1 on each device.
  var fullFrom: [Device: Int] = [:]
  /// The rate of short requests by class: one in this many is cut to a smaller, aligned byte count.
  var shortOneIn: [Class: Int] = [:]

  // MARK: Silent faults

  /// Devices whose flushes succeed but make nothing durable.
  var lyingFlushes: Set<Device> = []
  /// The corruption rate by device: one in this many reads returns one flipped bit.
  var flippedReadOneIn: [Device: Int] = [:]
  /// The silent faults of writes to the origin, keyed by the position of the write, from 1.
  var silentFaults: [Int: SilentFault] = [:]

  /// True if faults prevent checkpoints from being checked against the content of the origin.
  var originLies: Bool { lyingFlushes.contains(.target) || !silentFaults.isEmpty }

  // MARK: The queue

  /// The rate of submissions that take fewer requests than offered, or none at all (EAGAIN): one in
  /// this many; nil for never.
  var takesFewerOneIn: Int? = 3
  /// The rate of reaps that a signal cuts short (EINTR): one in this many; nil for never.
  ///
  /// Such a reap often returns no completions.
  var interruptedReapOneIn: Int? = 16

  /// The first of the operations that never complete, counted from 1 within its class.
  var hangingFrom: [Class: Int] = [:]
  /// The first reap that fails, counted from 1; all later reaps fail too.
  var failingReapFrom: Int?

  mutating func addBadRange(
    _ operation: IORequest.Operation, _ device: Device, _ range: ByteRange
  ) {
    badRanges.append(BadRange(kind: Class(operation, device), range: range))
  }

  /// Returns the error for the nth operation of its class, counted from 1; nil if it succeeds.
  func error(
    _ request: IORequest, number: Int, using generator: inout SeededGenerator
  ) -> Int64? {
    let kind = Class(request.operation, Device(request.file))
    if failing[kind] == number { return Self.inputOutputError }
    if let first = failingFrom[kind], number >= first { return Self.inputOutputError }
    if let last = failingUpTo[kind], number <= last { return Self.inputOutputError }
    if let oneIn = failingOneIn[kind], generator.chance(oneIn: oneIn) {
      return Self.inputOutputError
    }
    if request.operation == .write, let first = fullFrom[kind.device], number >= first {
      return Self.noSpace
    }
    let end = request.byteOffset + UInt64(request.byteCount)
    let isBad = badRanges.contains {
      $0.kind == kind && $0.range.start < end && request.byteOffset < $0.range.end
    }
    return isBad ? Self.inputOutputError : nil
  }

  /// Returns true if a fault keeps the request from ever completing.
  func hangs(_ taken: SimulatedDisk.Taken) -> Bool {
    let kind = Class(taken.request.operation, Device(taken.request.file))
    return hangingFrom[kind].map { taken.classNumber >= $0 } ?? false
  }

  /// Flips one bit in the bytes of a read, at the rate configured for the device.
  func flip(
    _ bytes: inout [UInt8], of request: IORequest, using generator: inout SeededGenerator
  ) {
    guard !bytes.isEmpty, let oneIn = flippedReadOneIn[Device(request.file)],
      generator.chance(oneIn: oneIn)
    else { return }
    bytes[.random(in: bytes.indices, using: &generator)] ^=
      1 << UInt8.random(in: 0...7, using: &generator)
  }

  /// Returns the offset at which a write actually lands; nil if the write is dropped.
  func place(ofWrite taken: SimulatedDisk.Taken, _ device: Device) -> UInt64? {
    guard device == .target, let fault = silentFaults[taken.classNumber] else {
      return taken.request.byteOffset
    }
    switch fault {
    case .dropped: return nil
    case .misdirected(let distance): return taken.request.byteOffset + distance
    }
  }
}
