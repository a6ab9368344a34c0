/// How the plan's byte ranges are cut into transfers: at multiples of the I/O size on the origin, so
/// that cuts do not depend on where a run began, and where the unaligned rest at the end begins.
package struct TransferCuts: Equatable, Sendable {
  package let ioByteCount: UInt64
  /// The effective end.
  package let endByteOffset: UInt64
  /// Where the rest that cannot be written directly begins; the effective end if there is none.
  package let tailByteOffset: UInt64

  /// `alignmentByteCount`: what direct writes to the origin are multiples of.
  package init(ioByteCount: UInt64, endByteOffset: UInt64, alignmentByteCount: Int) {
    self.ioByteCount = ioByteCount
    self.endByteOffset = endByteOffset
    tailByteOffset = endByteOffset.roundedDown(toMultipleOf: UInt64(max(alignmentByteCount, 4096)))
  }

  /// Where a transfer that begins at `start` ends at the latest.
  package func cut(after start: UInt64) -> UInt64 {
    let window = start.roundedDown(toMultipleOf: ioByteCount) + ioByteCount
    return min(window, start < tailByteOffset ? tailByteOffset : endByteOffset)
  }
}

/// Counts the transfers that bytes of the origin come to, by ``TransferCuts``.
struct TransferCounter {
  private(set) var count: UInt64 = 0
  /// Bytes of the largest one.
  private(set) var byteCountMax: UInt64 = 0
  private let ioByteCount: UInt64
  /// Consecutive bytes that are not counted yet.
  private var openStart: UInt64 = 0
  private var openEnd: UInt64 = 0
  /// The end of the window of the I/O size in which the last counted byte lies.
  private var windowEnd: UInt64 = 0

  init(ioByteCount: UInt64) { self.ioByteCount = ioByteCount }

  /// Adds bytes.
  ///
  /// Precondition: there are some, and they begin where those before end or behind.
  @inline(__always)
  mutating func add(from start: UInt64, to end: UInt64) {
    if start != openEnd {
      countOpen()
      openStart = start
    }
    openEnd = end
  }

  /// Counts what is left, and the one cut that lies where it lies: before the unaligned rest at the end.
  mutating func finish() {
    countOpen()
    if openEnd > openStart { count += 1 }
  }

  @inline(__always)
  private mutating func countOpen() {
    guard openStart < openEnd else { return }
    // Scattered blocks lie many to a window of the I/O size: no division for those.
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
