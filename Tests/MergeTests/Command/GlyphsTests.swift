import Testing

@testable import thin_merge

@Suite("Command: characters used in bars and maps")
struct GlyphsTests {
  @Test(
    "bars and maps use block characters only if the locale and terminal support them",
    arguments: [
      ([:], .ascii), (["LANG": "C"], .ascii), (["LANG": "C.UTF-8"], .blocks),
      (["LANG": "de_DE.utf8"], .blocks), (["LANG": "de_DE.UTF-8@euro"], .blocks),
      (["LANG": "de_DE.ISO-8859-1"], .ascii), (["LANG": "de_DE"], .ascii),
      (["LC_CTYPE": "C", "LANG": "C.UTF-8"], .ascii),
      (["LC_CTYPE": "C.UTF-8", "LANG": "C"], .blocks),
      (["LC_ALL": "C", "LC_CTYPE": "C.UTF-8"], .ascii),
      (["LC_ALL": "", "LC_CTYPE": "C.UTF-8"], .blocks),
      (["LANG": "ja_JP.UTF-8"], .ascii), (["LANG": "zh_CN.UTF-8"], .ascii),
      (["LANG": "C.UTF-8", "TERM": "linux"], .ascii),
      (["LANG": "C.UTF-8", "TERM": "xterm"], .blocks),
    ] as [([String: String], Glyphs)])
  func locale(variables: [String: String], glyphs: Glyphs) {
    #expect(Glyphs.suited(to: variables) == glyphs)
  }

  @Test("a bar fills from start to end")
  func bar() {
    #expect(Glyphs.ascii.bar(0, cellCount: 4) == "----")
    #expect(Glyphs.ascii.bar(0.49, cellCount: 4) == "#---")
    #expect(Glyphs.ascii.bar(1, cellCount: 4) == "####")
    #expect(Glyphs.blocks.bar(0, cellCount: 2) == "  ")
    #expect(Glyphs.blocks.bar(0.3, cellCount: 2) == "▌ ")
    #expect(Glyphs.blocks.bar(0.99, cellCount: 2) == "█▉")
    #expect(Glyphs.blocks.bar(7, cellCount: 2) == "██")
  }

  @Test("map cells show whether none, some or all of their blocks are filled")
  func map() {
    #expect([0, 1, 25, 50, 99, 100].map { Glyphs.ascii.mapCell($0, of: 100) } == Array(".-=+*#"))
    #expect([0, 1, 50, 99, 100].map { Glyphs.blocks.mapCell($0, of: 100) } == Array("·▁▄▇█"))
  }
}
