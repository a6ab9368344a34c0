import Fixtures
import MergeEngine
import Testing

@testable import thin_merge

@Suite("Paths: bytes and text")
struct PathTextTests {
  @Test(
    "valid UTF-8 bytes convert to the same text",
    arguments: ["", "/a b", "/caf\u{E9}", "/\u{FFFD}", "/😀", "/e\u{301}"])
  func valid(text: String) {
    #expect(PathText.text(text.utf8).unicodeScalars.elementsEqual(text.unicodeScalars))
    #expect(PathText.bytes(of: text) == Array(text.utf8))
    #expect(PathText.isText(text))
  }

  @Test("an invalid UTF-8 byte and the replacement character convert to different text")
  func replacementCharacter() {
    let latin1 = PathText.text([0x62, 0xE9, 0x2E])
    #expect(latin1 != PathText.text(Array("b\u{FFFD}.".utf8)))
    #expect(!PathText.isText(latin1))
    #expect(PathText.bytes(of: latin1) == [0x62, 0xE9, 0x2E])
  }

  @Test("every byte sequence survives a round trip, and different sequences give different text")
  func reversible() {
    let seed = Seed.current
    var generator = seed.generator
    let pieces: [[UInt8]] = [
      [0x2F], [0x61], [0xE9], [0xC3, 0xA9], [0xC3], [0xEF, 0xBF, 0xBD], [0xF4, 0x8F, 0xBB, 0xA9],
      [0xF4],
      [0x8F, 0xBB], [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xFF], [0xF0, 0x9F, 0x98, 0x80],
      [0xCC, 0x81],
    ]
    var found: [[UInt32]: [UInt8]] = [:]
    for _ in 0..<5000 {
      let count = Int.random(in: 0...6, using: &generator)
      let bytes = (0..<count).flatMap { _ in pieces.randomElement(using: &generator) ?? [] }
      let text = PathText.text(bytes)
      #expect(PathText.bytes(of: text) == bytes, "\(seed)")
      #expect(
        PathText.isText(text) == (String(validating: bytes, as: UTF8.self) == text), "\(seed)")
      let scalars = text.unicodeScalars.map(\.value)
      #expect(found[scalars, default: bytes] == bytes, "\(seed)")
      found[scalars] = bytes
    }
  }

  @Test("a valid name containing a scalar used to represent raw bytes differs from the raw byte")
  func privateScalar() {
    let text = PathText.text(Array("\u{10FEE9}".utf8))
    #expect(text != PathText.text([0xE9]))
    #expect(PathText.bytes(of: text) == Array("\u{10FEE9}".utf8))
  }

  @Test("a path that contains a zero byte does not name any file")
  func zero() {
    #expect("/etc/passwd\0.img".systemPath == [0])
    #expect(!FileSystem.exists("/etc\0/x"))
  }

  @Test("characters that would control a terminal are escaped")
  func escaped() {
    let bytes: [UInt8] = [0x1B, 0x5B, 0x32, 0x4B, 0x0D, 0x61, 0x7F, 0xC2, 0x9B, 0x0A, 0xE9, 0x09]
    #expect(TerminalText.escaped(PathText.text(bytes)) == #"\x1B[2K\ra\x7F\xC2\x9B\n\xE9\t"#)
    #expect(TerminalText.escaped("/caf\u{E9} \u{10000}") == "/caf\u{E9} \u{10000}")
  }

  @Test("a shell passes a quoted word through with every byte unchanged", .waitsForPrograms)
  func quoted() throws {
    let seed = Seed.current
    var generator = seed.generator
    for _ in 0..<40 {
      let bytes = (0..<8).map { _ in UInt8.random(in: 1...255, using: &generator) }
      let word = PathText.text(bytes).shellQuoted
      #expect(word.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
      let result = try Program.mustRun("bash", "-c", "printf %s \(word) | od -An -v -tu1")
      let printed = result.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0) }
      #expect(printed == bytes, "\(seed)")
    }
  }
}
