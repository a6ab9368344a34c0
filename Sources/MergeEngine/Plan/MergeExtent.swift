/// Where a merge ends on the origin, from the two devices' ends and the policy.
package struct MergeExtent: Equatable, Sendable {
  /// Nil where no origin was given.
  package let originByteCount: UInt64?
  package let thinByteCount: UInt64?
  package let pastEnd: PastEndPolicy

  package init(originByteCount: UInt64?, options: ExtentOptions) {
    self.originByteCount = originByteCount
    thinByteCount = options.thinByteCount
    pastEnd = options.pastEnd
  }

  /// Mapped bytes at or behind this are left out; nil if the last mapping decides.
  package var limitByteOffset: UInt64? {
    guard let originByteCount else { return thinByteCount }
    guard pastEnd == .grow else { return min(originByteCount, thinByteCount ?? originByteCount) }
    return thinByteCount
  }

  /// The effective end, once the end of the last mapping is known.
  package func endByteOffset(lastMappingEnd: UInt64) -> UInt64 {
    if let limitByteOffset { return limitByteOffset }
    return max(originByteCount ?? 0, lastMappingEnd)
  }

  /// What the origin is to be extended to; nil if it stays.
  package func grownOriginByteCount(lastMappingEnd: UInt64) -> UInt64? {
    guard pastEnd == .grow, let originByteCount else { return nil }
    let end = thinByteCount ?? lastMappingEnd
    return end > originByteCount ? end : nil
  }
}
