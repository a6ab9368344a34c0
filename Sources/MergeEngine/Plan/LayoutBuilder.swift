/// Builds a ``MappingLayout`` from a stream of runs.
///
/// The end of the last run is not known in advance, so the cells of the map double in size whenever
/// the map is too short. Memory use is fixed, and each run costs only a few additions.
struct LayoutBuilder {
  static let cellCountMax = 256

  /// The total size of all runs in bytes.
  private var byteCount: UInt64 = 0
  /// The number of runs of each length, indexed by the binary logarithm of the length, rounded
  /// down; `runByteCounts` has the total bytes of those runs.
  private var runCounts = InlineArray<64, UInt64>(repeating: 0)
  private var runByteCounts = InlineArray<64, UInt64>(repeating: 0)
  private var cells = InlineArray<256, UInt64>(repeating: 0)
  /// The binary logarithm of a cell's size in bytes.
  private var cellPower: Int
  /// The index of the cell in which the last run ended; that cell ends at `cellEnd`.
  private var cell = 0
  private var cellEnd: UInt64
  /// The part of `byteCount` that has been added to `cells`; the rest belongs to the cell at index
  /// `cell`.
  private var cellsByteCount: UInt64 = 0

  /// Creates an empty layout whose cells are no smaller than a block.
  ///
  /// - Precondition: `dataBlockByteCount` is not 0.
  init(dataBlockByteCount: UInt64) {
    cellPower = UInt64.bitWidth - (dataBlockByteCount - 1).leadingZeroBitCount
    cellEnd = 1 << UInt64(cellPower)
  }

  /// Adds a run of bytes on the origin.
  ///
  /// - Precondition: The run is not empty, starts at or past the end of the previous run, and ends
  ///   below 2^63.
  @inline(__always)
  mutating func add(from start: UInt64, to end: UInt64) {
    let runByteCount = end - start
    // As long as runs stay within one cell, no cell has to be looked up.
    if end > cellEnd { addAcrossCells(from: start, to: end) }
    let power = UInt64.bitWidth - 1 - runByteCount.leadingZeroBitCount
    // No sum can exceed 2^63.
    runCounts[power] &+= 1
    runByteCounts[power] &+= runByteCount
    byteCount &+= runByteCount
  }

  // Each iteration after the first moves to another cell, which happens only once per cell in a
  // pass over the mappings.
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

  /// Adds the bytes that are not in `cells` yet to the cell of the last run.
  private mutating func fillCell() {
    cells[cell] += byteCount - cellsByteCount
    cellsByteCount = byteCount
  }

  /// Enlarges the cells until the map reaches `end`.
  private mutating func cover(_ end: UInt64) {
    while end > UInt64(Self.cellCountMax) << UInt64(cellPower) {
      let half = Self.cellCountMax / 2
      for index in 0..<half { cells[index] = cells[2 * index] + cells[2 * index + 1] }
      for index in half..<Self.cellCountMax { cells[index] = 0 }
      cellPower += 1
    }
  }

  /// Returns the layout of the added runs, with a map that extends to `endByteOffset`.
  ///
  /// - Precondition: No run ends past `endByteOffset`, which is below 2^63.
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
