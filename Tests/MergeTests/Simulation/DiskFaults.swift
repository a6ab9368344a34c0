import Fixtures
import MergeEngine

/// What goes wrong on a simulated disk, each thing by its own switch.
struct DiskFaults {
  /// A device as its faults see it: both ways to the origin are one.
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

  /// Operations that are counted and can fail by their number.
  struct Class: Hashable, CustomStringConvertible {
    var operation: IORequest.Operation
    var device: Device

    init(_ operation: IORequest.Operation, _ device: Device) {
      self.operation = operation
      self.device = device
    }

    var description: String { "\(operation) \(device)" }
  }

  /// A range that fails for good.
  struct BadRange {
    var kind: Class
    var range: ByteRange
  }

  /// What a device does with a write that it says has gone well.
  enum SilentFault {
    /// Nothing.
    case dropped
    /// It lands so many bytes behind its place.
    case misdirected(by: UInt64)
  }

  static let inputOutputError: Int64 = -5
  static let invalidArgument: Int64 = -22
  static let noSpace: Int64 = -28

  // MARK: Errors

  var badRanges: [BadRange] = []
  /// Class to the number, from 1, of the operation that fails, once.
  var failing: [Class: Int] = [:]
  /// Class to the number, from 1, of the operation from which on all fail.
  var failingFrom: [Class: Int] = [:]
  /// Class to the number, from 1, of the operation up to which all fail.
  var failingUpTo: [Class: Int] = [:]
  /// One in so many operations of a class fails.
  var failingOneIn: [Class: Int] = [:]
  /// Device to the number, from 1, of the first write that finds no space.
  var fullFrom: [Device: Int] = [:]
  /// One in so many requests of a class is done in part only, up to an aligned place.
  var shortOneIn: [Class: Int] = [:]

  // MARK: What nobody is told of

  /// Devices whose flush says that all is well and makes nothing durable.
  var lyingFlushes: Set<Device> = []
  /// One in so many reads of a device brings a bit that is not what it was written as.
  var flippedReadOneIn: [Device: Int] = [:]
  /// The number of a write to the origin, from 1, to what becomes of it.
  var silentFaults: [Int: SilentFault] = [:]

  /// Whether no checkpoint can be held against what is on the origin.
  var originLies: Bool { lyingFlushes.contains(.target) || !silentFaults.isEmpty }

  // MARK: The queue

  /// One in so many submissions takes fewer requests than offered, or none (EAGAIN); nil for never.
  var takesFewerOneIn: Int? = 3
  /// One in so many reaps ends with nothing, for a signal came (EINTR); nil for never.
  var interruptedReapOneIn: Int? = 16

  /// Classes of operations that never complete, from the number on, from 1, that stands with each.
  var hangingFrom: [Class: Int] = [:]
  /// The number of the reap, from 1, from which on completions cannot be learned of.
  var failingReapFrom: Int?

  mutating func addBadRange(
    _ operation: IORequest.Operation, _ device: Device, _ range: ByteRange
  ) {
    badRanges.append(BadRange(kind: Class(operation, device), range: range))
  }

  /// The error that the operation with that number of its class, from 1, meets; nil for none.
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

  /// Whether a request never completes.
  func hangs(_ taken: SimulatedDisk.Taken) -> Bool {
    let kind = Class(taken.request.operation, Device(taken.request.file))
    return hangingFrom[kind].map { taken.classNumber >= $0 } ?? false
  }

  /// Turns over a bit of what a read brings, if it is the read's turn.
  func flip(
    _ bytes: inout [UInt8], of request: IORequest, using generator: inout SeededGenerator
  ) {
    guard !bytes.isEmpty, let oneIn = flippedReadOneIn[Device(request.file)],
      generator.chance(oneIn: oneIn)
    else { return }
    bytes[.random(in: bytes.indices, using: &generator)] ^=
      1 << UInt8.random(in: 0...7, using: &generator)
  }

  /// Where a write lands; nil if nowhere.
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
