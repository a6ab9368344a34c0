import MergeEngine

/// What goes wrong on a simulated disk, each thing by its own switch.
struct DiskFaults {
  /// A device as its faults see it: both ways to the origin are one.
  enum Device: Hashable, CaseIterable {
    case metadata, data, origin, journal

    init(_ target: IOTarget) {
      switch target {
      case .metadata: self = .metadata
      case .data: self = .data
      case .origin, .originBuffered: self = .origin
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

  static let inputOutputError: Int64 = -5
  static let invalidArgument: Int64 = -22
  static let noSpace: Int64 = -28

  var badRanges: [BadRange] = []
  /// Class to the number, from 1, of the operation that fails, once.
  var failing: [Class: Int] = [:]
  /// Class to the number, from 1, of the first write that finds no space.
  var fullFrom: [Device: Int] = [:]
  /// One in so many requests of a class is done in part only, up to an aligned place.
  var shortOneIn: [Class: Int] = [:]

  mutating func addBadRange(
    _ operation: IORequest.Operation, _ device: Device, _ range: ByteRange
  ) {
    badRanges.append(BadRange(kind: Class(operation, device), range: range))
  }

  /// The error that the operation with that number of its class, from 1, meets; nil for none.
  func error(_ request: IORequest, number: Int) -> Int64? {
    let kind = Class(request.operation, Device(request.target))
    if failing[kind] == number { return Self.inputOutputError }
    if request.operation == .write, let first = fullFrom[kind.device], number >= first {
      return Self.noSpace
    }
    let end = request.byteOffset + UInt64(request.byteCount)
    let isBad = badRanges.contains {
      $0.kind == kind && $0.range.start < end && request.byteOffset < $0.range.end
    }
    return isBad ? Self.inputOutputError : nil
  }
}
