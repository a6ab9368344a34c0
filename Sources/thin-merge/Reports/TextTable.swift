/// Rows of cells under heads, in columns as wide as their widest cell.
struct TextTable {
  /// How the cells of a column stand.
  enum Alignment { case left, right }

  let heads: [(text: String, alignment: Alignment)]
  let rows: [[String]]

  var text: String {
    let all = [heads.map(\.text)] + rows
    let widths = heads.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let line = zip(row, zip(widths, heads)).map { cell, column in
        let padding = String(repeating: " ", count: column.0 - cell.count)
        return column.1.alignment == .left ? cell + padding : padding + cell
      }.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }
}
