/// The action to take on a transfer after its bytes have been read.
package enum Verdict: Equatable, Sendable {
  /// Write the source's bytes to the target and record their checksum.
  case write(checksum: UInt32)
  /// Write nothing and record nothing.
  case keep
}

/// The part of a pipeline that chooses whether to read source, target or both, and what to do with
/// the bytes.
package protocol TransferStep: ~Copyable {
  static var readsSource: Bool { get }
  static var readsTarget: Bool { get }
  /// True if transfers are inspected in plan order.
  static var isOrdered: Bool { get }

  /// Inspects the bytes of `range`; `source` or `target` is empty if the step does not read it.
  mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict
}

/// The step for merge: computes the checksum of the source's bytes and has them written.
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

/// The step for a recheck: has the source's bytes written again unless source, target and the
/// checksum recorded by an earlier run agree.
///
/// With `keepsRecorded`, the source is a copy that may lack some of the data, so the recorded
/// checksum decides: source bytes that do not match it never replace target bytes that do.
package struct RecheckStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsTarget: Bool { true }
  package static var isOrdered: Bool { false }

  package private(set) var checkedByteCount: UInt64 = 0
  package private(set) var rewrittenByteCount: UInt64 = 0
  /// With `keepsRecorded`, the number of bytes not known to match the record on either source or
  /// target.
  package private(set) var lostByteCount: UInt64 = 0
  /// The lowest offset of any bytes counted in `lostByteCount`; nil if there are none.
  package private(set) var lowestLostByteOffset: UInt64?
  private let keepsRecorded: Bool

  package init(keepsRecorded: Bool = false) { self.keepsRecorded = keepsRecorded }

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, target: RawSpan
  ) -> Verdict {
    checkedByteCount += range.byteCount
    let checksum = CRC32C.checksum(of: source)
    // Equal bytes that were not recorded may be left over from a failed flush: they can be read,
    // but no later flush will make them durable.
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
