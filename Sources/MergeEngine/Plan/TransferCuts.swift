/// The cuts of the plan's byte ranges into transfers: at multiples of the I/O size on the origin,
/// so that cuts do not depend on the start of a run, and at the start of the unaligned tail.
package struct TransferCuts: Equatable, Sendable {
  package let ioByteCount: UInt64
  /// The effective end.
  package let endByteOffset: UInt64
  /// The start of the unaligned tail, which cannot be written directly; the effective end if there
  /// is no tail.
  package let tailByteOffset: UInt64

  /// - `alignmentByteCount`: the unit of direct writes to the origin.
  package init(ioByteCount: UInt64, endByteOffset: UInt64, alignmentByteCount: Int) {
    self.ioByteCount = ioByteCount
    self.endByteOffset = endByteOffset
    tailByteOffset = endByteOffset.roundedDown(toMultipleOf: UInt64(max(alignmentByteCount, 4096)))
  }

  /// Returns the latest end of a transfer that starts at `start`.
  package func cut(after start: UInt64) -> UInt64 {
    let window = start.roundedDown(toMultipleOf: ioByteCount) + ioByteCount
    return min(window, start < tailByteOffset ? tailByteOffset : endByteOffset)
  }
}

/// Counts the transfers that ``TransferCuts`` makes of bytes of the origin.
struct TransferCounter {
  private(set) var count: UInt64 = 0
  /// Bytes of the largest transfer.
  private(set) var byteCountMax: UInt64 = 0
  private let ioByteCount: UInt64
  /// The range of consecutive bytes that are not counted yet.
  private var openStart: UInt64 = 0
  private var openEnd: UInt64 = 0
  /// The end of the window of the I/O size in which the last counted byte lies.
  private var windowEnd: UInt64 = 0

  init(ioByteCount: UInt64) { self.ioByteCount = ioByteCount }

  /// Adds bytes.
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
  /// tail, so `count` is an upper bound.
  mutating func finish() {
    countOpen()
    if openEnd > openStart { count += 1 }
  }

  @inline(__always)
  private mutating func countOpen() {
    guard openStart < openEnd else { return }
    // Many scattered blocks lie in one window of the I/O size; those need no division.
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
