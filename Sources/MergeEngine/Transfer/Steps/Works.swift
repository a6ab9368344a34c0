/// What is done with a transfer once its bytes are there.
package enum Verdict: Equatable, Sendable {
  /// The source's bytes go to the origin; their checksum is recorded.
  case write(checksum: UInt32)
  /// Nothing is written and nothing recorded.
  case keep
}

/// The steps of a pipeline: what is read, and what follows from it.
package protocol TransferWork: ~Copyable {
  static var readsSource: Bool { get }
  static var readsOrigin: Bool { get }
  /// Whether transfers are inspected in the order of the plan.
  static var isOrdered: Bool { get }

  /// Looks at the bytes of `range`; those that are not read are empty.
  mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict
}

/// Merge: what is read is checksummed and written.
package struct MergeWork: TransferWork, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsOrigin: Bool { false }
  package static var isOrdered: Bool { false }

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict {
    .write(checksum: CRC32C.checksum(of: source))
  }
}

/// Re-check of what earlier runs recorded: where source, origin and record are not one, the source's
/// bytes are written again.
package struct RecheckWork: TransferWork, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsOrigin: Bool { true }
  package static var isOrdered: Bool { false }

  package private(set) var checkedByteCount: UInt64 = 0
  package private(set) var rewrittenByteCount: UInt64 = 0

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict {
    checkedByteCount += range.byteCount
    let checksum = CRC32C.checksum(of: source)
    // Equal bytes that were not recorded may be what a failed flush left behind: they can be read, and
    // no later flush makes them durable.
    guard checksum == recordedChecksum, source.hasSameBytes(as: origin) else {
      rewrittenByteCount += range.byteCount
      return .write(checksum: checksum)
    }
    return .keep
  }
}
