/// The positions on the origin at which the byte ranges of a plan are cut into transfers.
///
/// Cuts are made at multiples of the I/O size, so that they do not depend on where a run starts,
/// and at the start of the unaligned tail.
package struct TransferCuts: Equatable, Sendable {
  package let ioByteCount: UInt64
  /// The byte offset at which the merge effectively ends.
  package let endByteOffset: UInt64
  /// The start of the unaligned tail, which cannot be written with direct I/O; equal to
  /// `endByteOffset` if there is no such tail.
  package let tailByteOffset: UInt64

  /// - `alignmentByteCount`: the alignment in bytes that direct writes to the origin require.
  package init(ioByteCount: UInt64, endByteOffset: UInt64, alignmentByteCount: Int) {
    self.ioByteCount = ioByteCount
    self.endByteOffset = endByteOffset
    tailByteOffset = endByteOffset.roundedDown(toMultipleOf: UInt64(max(alignmentByteCount, 4096)))
  }

  /// Returns the farthest byte offset at which a transfer that starts at `start` may end.
  package func cut(after start: UInt64) -> UInt64 {
    let window = start.roundedDown(toMultipleOf: ioByteCount) + ioByteCount
    return min(window, start < tailByteOffset ? tailByteOffset : endByteOffset)
  }
}

/// Counts the transfers into which ``TransferCuts`` cuts byte ranges of the origin.
struct TransferCounter {
  private(set) var count: UInt64 = 0
  /// The size of the largest transfer in bytes.
  private(set) var byteCountMax: UInt64 = 0
  private let ioByteCount: UInt64
  /// The start of the range of consecutive bytes that have not been counted yet.
  private var openStart: UInt64 = 0
  private var openEnd: UInt64 = 0
  /// The end of the I/O-sized window that contains the last counted byte.
  private var windowEnd: UInt64 = 0

  init(ioByteCount: UInt64) { self.ioByteCount = ioByteCount }

  /// Adds a range of bytes.
  ///
  /// - Precondition: The range is not empty, and starts at or past the end of the previous one.
  @inline(__always)
  mutating func add(from start: UInt64, to end: UInt64) {
    if start != openEnd {
      countOpen()
      openStart = start
    }
    openEnd = end
  }

  /// Counts the remaining bytes, plus one transfer for a possible cut at the start of the unaligned
  /// tail, which makes `count` an upper bound.
  mutating func finish() {
    countOpen()
    if openEnd > openStart { count += 1 }
  }

  @inline(__always)
  private mutating func countOpen() {
    guard openStart < openEnd else { return }
    // Many scattered blocks lie in the same I/O-sized window; only the first of them needs a
    // division.
    if openStart >= windowEnd {
      windowEnd = openStart.roundedDown(toMultipleOf: ioByteCount) &+ ioByteCount
    }
    if openEnd > windowEnd { return countOverWindows() }
    count &+= 1
    byteCountMax = max(byteCountMax, openEnd &- openStart)
  }

  private mutating func countOverWindows() {
    let firstCut = windowEnd
    let lastCut = max(openStart, (openEnd - 1).roundedDown(toMultipleOf: ioByteCount))
    count += (openEnd - 1) / ioByteCount - openStart / ioByteCount + 1
    byteCountMax = max(byteCountMax, min(firstCut, openEnd) - openStart, openEnd - lastCut)
    if lastCut > firstCut { byteCountMax = ioByteCount }
    windowEnd = lastCut.roundedDown(toMultipleOf: ioByteCount) + ioByteCount
  }
}
