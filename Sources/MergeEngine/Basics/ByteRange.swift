/// A half-open range of consecutive bytes of a device or file.
public struct ByteRange: Hashable, Sendable {
  /// The first byte, counted from the start of the device.
  public package(set) var start: UInt64
  /// The first byte after the range.
  public package(set) var end: UInt64

  /// Creates the range from `start` up to, not including, `end`.
  ///
  /// - Precondition: `start <= end`.
  package init(start: UInt64, end: UInt64) {
    precondition(start <= end)
    self.start = start
    self.end = end
  }

  /// The number of bytes in the range.
  public var byteCount: UInt64 { end - start }

  /// True if the range contains no bytes.
  package var isEmpty: Bool { start == end }

  /// Returns true if the ranges have bytes in common.
  package func overlaps(_ other: ByteRange) -> Bool { start < other.end && other.start < end }
}

/// Byte ranges that neither overlap nor touch, in ascending order.
package struct RangeSet: Equatable, Sendable {
  package private(set) var ranges: [ByteRange] = []

  package init() {}

  package var byteCount: UInt64 { ranges.reduce(0) { $0 + $1.byteCount } }
  package var isEmpty: Bool { ranges.isEmpty }

  /// Adds a range.
  ///
  /// - Returns: The number of bytes in the range that were not already in the set.
  @discardableResult
  package mutating func insert(_ range: ByteRange) -> UInt64 {
    guard !range.isEmpty else { return 0 }
    let first = firstIndex { $0.end >= range.start }
    var merged = range
    var last = first
    var known: UInt64 = 0
    while last < ranges.count, ranges[last].start <= merged.end {
      known += ranges[last].byteCount
      merged = ByteRange(
        start: min(merged.start, ranges[last].start), end: max(merged.end, ranges[last].end))
      last += 1
    }
    ranges.replaceSubrange(first..<last, with: [merged])
    return merged.byteCount - known
  }

  package mutating func remove(_ range: ByteRange) {
    guard !range.isEmpty, !ranges.isEmpty else { return }
    let first = firstIndex { $0.end > range.start }
    var last = first
    var kept: [ByteRange] = []
    while last < ranges.count, ranges[last].start < range.end {
      let old = ranges[last]
      if old.start < range.start { kept.append(ByteRange(start: old.start, end: range.start)) }
      if old.end > range.end { kept.append(ByteRange(start: range.end, end: old.end)) }
      last += 1
    }
    guard first < last else { return }
    ranges.replaceSubrange(first..<last, with: kept)
  }

  /// Returns true if the set contains the entire range.
  ///
  /// - Precondition: The range is not empty.
  package func contains(_ range: ByteRange) -> Bool {
    let index = firstIndex { $0.end >= range.end }
    return index < ranges.count && ranges[index].start <= range.start
  }

  /// Returns the index of the first range for which `isBehind` is true, by binary search.
  private func firstIndex(where isBehind: (ByteRange) -> Bool) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if isBehind(ranges[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
