/// What is done with a transfer once its bytes are there.
package enum Verdict: Equatable, Sendable {
  /// The source's bytes go to the target; their checksum is recorded.
  case write(checksum: UInt32)
  /// Nothing is written and nothing recorded.
  case keep
}

/// The steps of a pipeline: what is read, and what follows from it.
package protocol TransferStep: ~Copyable {
  static var readsSource: Bool { get }
  static var readsTarget: Bool { get }
  /// Whether transfers are inspected in the order of the plan.
  static var isOrdered: Bool { get }

  /// Looks at the bytes of `range`; those that are not read are empty.
  mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict
}

/// Merge: what is read is checksummed and written.
package struct CopyStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsTarget: Bool { false }
  package static var isOrdered: Bool { false }

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    .write(checksum: CRC32C.checksum(of: source))
  }
}

/// Re-check of what earlier runs recorded: where source, target and record are not one, the source's
/// bytes are written again.
///
/// Where the source is a copy that may lack some of it, the record decides: bytes of the source that were not
/// recorded never replace bytes of the target that were.
package struct RecheckStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsTarget: Bool { true }
  package static var isOrdered: Bool { false }

  package private(set) var checkedByteCount: UInt64 = 0
  package private(set) var rewrittenByteCount: UInt64 = 0
  /// Where the source is a copy: bytes that neither side has as they were recorded.
  package private(set) var lostByteCount: UInt64 = 0
  /// The lowest of those; nil where there are none.
  package private(set) var lowestLostByteOffset: UInt64?
  private let keepsRecorded: Bool

  package init(keepsRecorded: Bool = false) { self.keepsRecorded = keepsRecorded }

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    checkedByteCount += range.byteCount
    let checksum = CRC32C.checksum(of: source)
    // Equal bytes that were not recorded may be what a failed flush left behind: they can be read, and
    // no later flush makes them durable.
    let isEqual = source.hasSameBytes(as: target)
    guard checksum == recordedChecksum, isEqual else {
      if keepsRecorded, checksum != recordedChecksum, !(recordedChecksum == nil && isEqual) {
        if recordedChecksum == nil || CRC32C.checksum(of: target) != recordedChecksum {
          lostByteCount += range.byteCount
          lowestLostByteOffset = min(lowestLostByteOffset ?? range.start, range.start)
        }
        return .keep
      }
      rewrittenByteCount += range.byteCount
      return .write(checksum: checksum)
    }
    return .keep
  }
}
