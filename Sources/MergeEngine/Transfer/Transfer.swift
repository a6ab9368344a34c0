/// Consecutive bytes of the data device that go to consecutive bytes of the target.
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

/// One contiguous piece of the target, made of one or more segments of the data device; filled by a
/// feed again and again, so that the steady state allocates nothing.
package struct Transfer: Equatable, Sendable {
  package var start: UInt64 = 0
  package var byteCount: UInt64 = 0
  /// Empty where only the target is read.
  package var segments: [Segment] = []
  /// What the journal says of these bytes.
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

  /// Precondition: the segment begins where the transfer ends.
  package mutating func append(_ segment: Segment) {
    precondition(segment.targetByteOffset == end)
    byteCount += segment.byteCount
    segments.append(segment)
  }
}
