internal import MergeEngine

/// Figures in a report for people that show where the merged bytes are and how long their runs are.
struct LayoutText {
  var layout: MappingLayout
  var glyphs: Glyphs
  /// The number of columns that the figures may use.
  var columnCount: Int

  /// The number of columns by which a figure's lines are indented.
  private static let margin = 2
  private static let mapRowCountMax = 4

  /// Adds both figures to a report, if there is anything to show.
  func add(to text: inout ReportText) {
    guard !layout.runLengths.isEmpty else { return }
    addMap(to: &text)
    addHistogram(to: &text)
  }

  private func addMap(to text: inout ReportText) {
    // If a row has a multiple of 16 cells, rows begin at round offsets.
    let room = columnCount - Self.margin - Self.offsetColumnCount - 2
    let rowCellCount = max(8, room / 16 * 16)
    let (cellByteCount, cells) = layout.cells(atMost: rowCellCount * Self.mapRowCountMax)
    let rows = stride(from: 0, to: cells.count, by: rowCellCount).map { first in
      let row = cells.indices[first...].prefix(rowCellCount).map { index in
        // The last cell may extend past the end.
        let start = UInt64(index) * cellByteCount
        return glyphs.mapCell(cells[index], of: min(cellByteCount, layout.endByteOffset - start))
      }
      let offset = (UInt64(first) * cellByteCount).formattedByteCount
      return Self.padded(offset, Self.offsetColumnCount) + "  " + String(row)
    }
    text.addFigure(
      "Where the blocks are on the origin, \(cellByteCount.formattedByteCount) per cell "
        + "(\(glyphs.map[0]) none, \(glyphs.map[glyphs.map.count - 1]) all):", rows)
  }

  private func addHistogram(to text: inout ReportText) {
    let lengths = layout.runLengths.filter { $0.runCount > 0 }
    let runs = lengths.map { Amount.text($0.runCount, "run") }
    let bytes = lengths.map { $0.byteCount.formattedByteCount }
    let runColumnCount = runs.map(\.count).max() ?? 0
    let byteColumnCount = bytes.map(\.count).max() ?? 0
    let most = lengths.map(\.byteCount).max() ?? 1
    let cellCount =
      columnCount - Self.margin - Self.offsetColumnCount - runColumnCount - byteColumnCount - 6
    let rows = lengths.indices.map { index in
      let bar = glyphs.bar(
        Double(lengths[index].byteCount) / Double(most), cellCount: max(0, cellCount))
      // Here, the empty part of the bar would look like a value.
      let filled = bar.prefix { $0 != glyphs.bar[0] }
      return Self.padded(lengths[index].byteCountMin.formattedByteCount, Self.offsetColumnCount)
        + "  \(Self.padded(runs[index], runColumnCount))"
        + "  \(Self.padded(bytes[index], byteColumnCount))"
        + (filled.isEmpty ? "" : "  \(filled)")
    }
    text.addFigure("Run lengths (each row up to the next) and bytes:", rows)
  }

  /// The width in columns of an offset or a length, such as `1023.9 GiB`.
  private static let offsetColumnCount = 10

  private static func padded(_ text: String, _ columnCount: Int) -> String {
    String(repeating: " ", count: max(0, columnCount - text.count)) + text
  }
}
