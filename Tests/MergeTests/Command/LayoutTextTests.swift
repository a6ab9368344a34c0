import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: map and histogram of a plan")
struct LayoutTextTests {
  private static let mebibyte: UInt64 = 1 << 20

  private static func text(
    _ layout: MappingLayout, glyphs: Glyphs = .ascii, columnCount: Int = 72
  ) -> String {
    var text = ReportText("Heading.")
    LayoutText(layout: layout, glyphs: glyphs, columnCount: columnCount).add(to: &text)
    return text.text
  }

  /// 100 cells: the first completely mapped, the second half mapped, and the last mapped to its
  /// end.
  private static let layout = MappingLayout(
    runLengths: [
      MappingLayout.RunLength(byteCountMin: 65_536, runCount: 16, byteCount: mebibyte),
      MappingLayout.RunLength(byteCountMin: 131_072, runCount: 0, byteCount: 0),
      MappingLayout.RunLength(byteCountMin: 262_144, runCount: 1, byteCount: mebibyte / 2),
    ],
    endByteOffset: 100 * mebibyte - 4096, cellByteCount: mebibyte,
    cells: [mebibyte, mebibyte / 2] + Array(repeating: 0, count: 97) + [mebibyte - 4096])

  @Test("a plan is illustrated with a multi-row map and a histogram")
  func figures() {
    #expect(
      Self.text(Self.layout) == """
        Heading.

        Where the blocks are on the origin, 1 MiB per cell (. none, # all):

             0 bytes  #+..............................................
              48 MiB  ................................................
              96 MiB  ...#

        Run lengths (each row up to the next) and bytes:

              64 KiB  16 runs    1 MiB  ########################################
             256 KiB    1 run  512 KiB  ####################

        """)
  }

  @Test("a plan's map and histogram use block characters if they can be displayed")
  func blocks() {
    let text = Self.text(Self.layout, glyphs: .blocks, columnCount: 40)
    #expect(text.contains("  0 bytes  ▆···············\n"), "\(text)")
    #expect(text.contains("512 KiB  ████\n"), "\(text)")
  }

  @Test("a plan's map and histogram fit the given width and take few rows")
  func width() {
    for columnCount in 22...100 {
      let lines = Self.text(Self.layout, columnCount: columnCount).split(separator: "\n")
      let figures = lines.filter { $0.hasPrefix("  ") }
      #expect(figures.allSatisfy { $0.count <= max(columnCount, 40) }, "\(columnCount): \(lines)")
      #expect(figures.count <= 4 + Self.layout.runLengths.count)
    }
  }

  @Test("a plan's map and histogram are omitted if there is nothing to merge")
  func nothing() {
    let empty = MappingLayout(
      runLengths: [], endByteOffset: 8192, cellByteCount: 8192, cells: [0])
    #expect(Self.text(empty) == "Heading.\n")
  }
}
