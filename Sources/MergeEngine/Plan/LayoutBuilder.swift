/// Makes a ``MappingLayout`` of runs as they come.
///
/// Where the last run ends is not known before: a map that turns out to be too short gets cells of twice
/// the size. So its memory is fixed, and a run costs a few additions.
struct LayoutBuilder {
  static let cellCountMax = 256

  /// Bytes of all runs.
  private var byteCount: UInt64 = 0
  /// How many runs there are, and their bytes, by the power of two that a run's length has.
  private var runCounts = InlineArray<64, UInt64>(repeating: 0)
  private var runByteCounts = InlineArray<64, UInt64>(repeating: 0)
  private var cells = InlineArray<256, UInt64>(repeating: 0)
  /// The power of two that a cell has bytes.
  private var cellPower: Int
  /// The cell in which the last run ended, and where that cell ends.
  private var cell = 0
  private var cellEnd: UInt64
  /// Of `byteCount`, what the cells have; the rest is the last run's cell's.
  private var cellsByteCount: UInt64 = 0

  /// No cell is smaller than a block.
  ///
  /// Precondition: `dataBlockByteCount` is not 0.
  init(dataBlockByteCount: UInt64) {
    cellPower = UInt64.bitWidth - (dataBlockByteCount - 1).leadingZeroBitCount
    cellEnd = 1 << UInt64(cellPower)
  }

  /// Adds a run of the origin.
  ///
  /// Precondition: it is not empty, begins where the one before ends or behind, and ends below 2^63.
  @inline(__always)
  mutating func add(from start: UInt64, to end: UInt64) {
    let runByteCount = end - start
    // As long as runs lie in one cell, that need not be looked up.
    if end > cellEnd { addAcrossCells(from: start, to: end) }
    let power = UInt64.bitWidth - 1 - runByteCount.leadingZeroBitCount
    // No sum can exceed 2^63.
    runCounts[power] &+= 1
    runByteCounts[power] &+= runByteCount
    byteCount &+= runByteCount
  }

  // Each step but the first goes on to another cell, which a pass over the mappings does once a cell.
  private mutating func addAcrossCells(from start: UInt64, to end: UInt64) {
    fillCell()
    cover(end)
    var position = start
    while position < end {
      cell = Int(position >> UInt64(cellPower))
      cellEnd = UInt64(cell + 1) << UInt64(cellPower)
      let next = min(end, cellEnd)
      cells[cell] += next - position
      position = next
    }
    cellsByteCount += end - start
  }

  /// Gives the last run's cell what it lacks.
  private mutating func fillCell() {
    cells[cell] += byteCount - cellsByteCount
    cellsByteCount = byteCount
  }

  /// Makes cells large enough for the map to reach `end`.
  private mutating func cover(_ end: UInt64) {
    while end > UInt64(Self.cellCountMax) << UInt64(cellPower) {
      let half = Self.cellCountMax / 2
      for index in 0..<half { cells[index] = cells[2 * index] + cells[2 * index + 1] }
      for index in half..<Self.cellCountMax { cells[index] = 0 }
      cellPower += 1
    }
  }

  /// The layout of what was added, with a map up to `endByteOffset`.
  ///
  /// Precondition: no run ends behind that, which is below 2^63.
  mutating func finish(endByteOffset: UInt64) -> MappingLayout {
    fillCell()
    cover(endByteOffset)
    let cellByteCount: UInt64 = 1 << UInt64(cellPower)
    let cellCount = Int((endByteOffset + cellByteCount - 1) >> UInt64(cellPower))
    var layout = MappingLayout(
      endByteOffset: endByteOffset, cellByteCount: cellByteCount,
      cells: (0..<cellCount).map { cells[$0] })
    let powers = (0..<UInt64.bitWidth).filter { runCounts[$0] > 0 }
    guard let shortest = powers.first, let longest = powers.last else { return layout }
    layout.runLengths = (shortest...longest).map { power in
      MappingLayout.RunLength(
        byteCountMin: 1 << UInt64(power), runCount: runCounts[power],
        byteCount: runByteCounts[power])
    }
    return layout
  }
}
