/// An in-memory terminal that understands only the control sequences that the command writes.
///
/// A `breaking` terminal wraps long lines, and rewraps them whenever its width changes, keeping the
/// cursor on the same character. When a `cutting` terminal is narrowed, it loses everything past
/// the last column.
struct TerminalModel {
  enum Kind: CaseIterable { case breaking, cutting }

  private let kind: Kind
  private(set) var columnCount: Int
  /// The lines as written, regardless of how many rows each line occupies.
  private var lines: [[Character]] = [[]]
  private var line = 0
  /// The column of the cursor within the current line.
  private var column = 0
  /// True if the last column was just written, so that the next character starts a new row.
  private var isBehindLastColumn = false
  private var wraps = true
  /// The part of a control sequence received so far; empty outside a control sequence.
  private var sequence = ""

  init(_ kind: Kind, columnCount: Int) {
    self.kind = kind
    self.columnCount = columnCount
  }

  /// The nonempty rows of the terminal, without trailing spaces.
  var rows: [String] {
    var rows: [String] = []
    for line in lines {
      for first in stride(from: 0, to: line.count, by: columnCount) {
        var row = line[first...].prefix(columnCount)
        while row.last == " " { row.removeLast() }
        if !row.isEmpty { rows.append(String(row)) }
      }
    }
    return rows
  }

  mutating func resize(columnCount: Int) {
    self.columnCount = columnCount
    isBehindLastColumn = false
    guard kind == .cutting else { return }
    lines = lines.map { Array($0.prefix(columnCount)) }
    column = min(column, columnCount - 1)
  }

  mutating func write(_ text: String) {
    for character in text {
      if !sequence.isEmpty || character == "\u{1B}" {
        sequence.append(character)
        if character.isLetter { perform() }
      } else if character == "\r" {
        column = rowStart
        isBehindLastColumn = false
      } else if character == "\n" {
        // The terminal driver translates a newline to a carriage return and a line feed.
        nextRow()
        isBehindLastColumn = false
      } else {
        put(character)
      }
    }
  }

  private var rowStart: Int { column / columnCount * columnCount }

  private mutating func perform() {
    switch sequence {
    case "\u{1B}[J":
      lines[line].removeLast(max(0, lines[line].count - column))
      lines.removeLast(lines.count - 1 - line)
    case "\u{1B}[?7l": wraps = false
    case "\u{1B}[?7h": wraps = true
    default: put("?")
    }
    sequence = ""
  }

  private mutating func nextRow() {
    let next = rowStart + columnCount
    if next < lines[line].count {
      column = next
    } else {
      line += 1
      column = 0
      if line == lines.count { lines.append([]) }
    }
  }

  private mutating func put(_ character: Character) {
    if isBehindLastColumn {
      isBehindLastColumn = false
      if kind == .breaking { column += 1 } else { nextRow() }
    }
    while lines[line].count <= column { lines[line].append(" ") }
    lines[line][column] = character
    if column % columnCount < columnCount - 1 {
      column += 1
    } else {
      isBehindLastColumn = wraps
    }
  }
}
