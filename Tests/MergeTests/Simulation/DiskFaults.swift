import Fixtures
import MergeEngine

/// Faults of a simulated disk, each with its own switch.
struct DiskFaults {
  /// A device that faults apply to; the direct and buffered origin files are one device.
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

  /// A class of operations, which are counted and can fail by number.
  struct Class: Hashable, CustomStringConvertible {
    var operation: IORequest.Operation
    var device: Device

    init(_ operation: IORequest.Operation, _ device: Device) {
      self.operation = operation
      self.device = device
    }

    var description: String { "\(operation) \(device)" }
  }

  /// A range that fails permanently.
  struct BadRange {
    var kind: Class
    var range: ByteRange
  }

  /// The fate of a write that the device reports as successful.
  enum SilentFault {
    /// The write is discarded.
    case dropped
    /// The write lands `by` bytes after its offset.
    case misdirected(by: UInt64)
  }

  static let inputOutputError: Int64 = -5
  static let invalidArgument: Int64 = -22
  static let noSpace: Int64 = -28

  // MARK: Errors

  var badRanges: [BadRange] = []
  /// The number, from 1, of the operation that fails once, by class.
  var failing: [Class: Int] = [:]
  /// The number, from 1, of the first of the operations that all fail, by class.
  var failingFrom: [Class: Int] = [:]
  /// The number, from 1, of the last of the operations that all fail, by class.
  var failingUpTo: [Class: Int] = [:]
  /// The failure rate of a class: one in this many operations.
  var failingOneIn: [Class: Int] = [:]
  /// The number, from 1, of the first write that fails with ENOSPC, by device.
  var fullFrom: [Device: Int] = [:]
  /// The rate of short requests of a class: one in this many, shortened to an aligned byte count.
  var shortOneIn: [Class: Int] = [:]

  // MARK: Silent faults

  /// Devices whose flushes succeed but make nothing durable.
  var lyingFlushes: Set<Device> = []
  /// The rate of reads with one flipped bit, by device: one in this many.
  var flippedReadOneIn: [Device: Int] = [:]
  /// Silent faults by the number, from 1, of the origin write.
  var silentFaults: [Int: SilentFault] = [:]

  /// True if faults of the origin make checkpoints impossible to check against its content.
  var originLies: Bool { lyingFlushes.contains(.target) || !silentFaults.isEmpty }

  // MARK: The queue

  /// The rate of submissions that take fewer requests than offered, or none (EAGAIN); nil for
  /// never.
  var takesFewerOneIn: Int? = 3
  /// The rate of reaps that a signal cuts short (EINTR), often with no completions; nil for never.
  var interruptedReapOneIn: Int? = 16

  /// The number, from 1, of the first operation of a class that never completes.
  var hangingFrom: [Class: Int] = [:]
  /// The number, from 1, of the first of the reaps that all fail.
  var failingReapFrom: Int?

  mutating func addBadRange(
    _ operation: IORequest.Operation, _ device: Device, _ range: ByteRange
  ) {
    badRanges.append(BadRange(kind: Class(operation, device), range: range))
  }

  /// Returns the error of the operation with this number in its class, from 1, or nil for none.
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

  /// Returns true if the request never completes.
  func hangs(_ taken: SimulatedDisk.Taken) -> Bool {
    let kind = Class(taken.request.operation, Device(taken.request.file))
    return hangingFrom[kind].map { taken.classNumber >= $0 } ?? false
  }

  /// Flips one bit of a read's bytes at the device's rate.
  func flip(
    _ bytes: inout [UInt8], of request: IORequest, using generator: inout SeededGenerator
  ) {
    guard !bytes.isEmpty, let oneIn = flippedReadOneIn[Device(request.file)],
      generator.chance(oneIn: oneIn)
    else { return }
    bytes[.random(in: bytes.indices, using: &generator)] ^=
      1 << UInt8.random(in: 0...7, using: &generator)
  }

  /// Returns the offset where a write lands, or nil if it is dropped.
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
