/// Consecutive bytes of the data device that are copied to consecutive bytes of the target.
package struct Segment: Equatable, Sendable {
  package var dataByteOffset: UInt64
  package var targetByteOffset: UInt64
  package var byteCount: UInt64

  package init(dataByteOffset: UInt64, targetByteOffset: UInt64, byteCount: UInt64) {
    self.dataByteOffset = dataByteOffset
    self.targetByteOffset = targetByteOffset
    self.byteCount = byteCount
  }
}

/// A contiguous piece of the target, made of one or more segments of the data device.
///
/// A feed reuses the same value for each transfer, so no memory is allocated in the steady state.
package struct Transfer: Equatable, Sendable {
  package var start: UInt64 = 0
  package var byteCount: UInt64 = 0
  /// The segments of the source; empty if only the target is read.
  package var segments: [Segment] = []
  /// The checksum recorded in the journal for these bytes; nil if there is none.
  package var recordedChecksum: UInt32?

  package init() { segments.reserveCapacity(64) }

  package var end: UInt64 { start + byteCount }
  package var range: ByteRange { ByteRange(start: start, end: end) }

  package mutating func begin(at start: UInt64) {
    self.start = start
    byteCount = 0
    segments.removeAll(keepingCapacity: true)
    recordedChecksum = nil
  }

  /// - Precondition: The segment begins where the transfer ends.
  package mutating func append(_ segment: Segment) {
    precondition(segment.targetByteOffset == end)
    byteCount += segment.byteCount
    segments.append(segment)
  }
}
