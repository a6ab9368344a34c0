import Foundation

/// A place in the sources where an error is worded.
struct SourceError: Sendable {
  /// `file:line`.
  var place: String
  /// What is fixed of the words that say what could not be done.
  var what: [String]
  /// What is fixed of all other words: the reason, and what to do.
  var rest: [String]
}

/// The errors that the sources word.
enum SourceErrors {
  /// What makes an error, and whether its first text says what could not be done.
  private static let makers: [(name: String, saysWhatFirst: Bool)] = [
    ("MergeError(", true), ("Failure(", true), ("call(", true), ("fail(\"", true),
    ("MetadataFault(", false), ("self.init(", false), ("JournalFault(", false),
    ("ValidationError(", false),
    (".usage(", false), ("heldByAnother(", false),
  ]

  /// What says something that is no error: to people in passing, or to the programmer.
  private static let otherSpeakers = [
    "note(", "recordCleanupFailure(", "precondition(", "preconditionFailure(", ".send(", "assert(",
  ]

  /// Every error that is made where it is worded.
  static func made() throws -> [SourceError] {
    try files().flatMap { file in
      makers.flatMap { maker in
        file.calls(maker.name).compactMap { call -> SourceError? in
          let texts = file.texts(in: call)
          guard let first = texts.first else { return nil }
          let others = maker.saysWhatFirst ? texts.dropFirst() : texts[...]
          return SourceError(
            place: "\(file.name):\(file.line(of: call.lowerBound))",
            what: maker.saysWhatFirst ? first : [], rest: others.flatMap(\.self))
        }
      }
    }
  }

  /// Every phrase of the engine that is not said in passing, with its place.
  static func phrases() throws -> [(place: String, words: String)] {
    try files().filter { $0.name.hasPrefix("MergeEngine/") }.flatMap { file in
      let passing = otherSpeakers.flatMap { file.calls($0) }
      return file.allTexts().filter { text in
        !passing.contains { $0.contains(text.start) }
      }.flatMap { text in
        text.pieces.filter(isPhrase).map { ("\(file.name):\(file.line(of: text.start))", $0) }
      }
    }
  }

  /// The texts of each file in which there is a phrase, cut where something is put in.
  static func texts() throws -> [(file: String, texts: [[String]])] {
    try files().map { file in
      (file.name, file.allTexts().map(\.pieces).filter { $0.contains(where: isPhrase) })
    }
  }

  /// Two words or more, as people write them.
  private static func isPhrase(_ text: String) -> Bool {
    text.contains(#/[A-Za-z]{2,},? [A-Za-z]{2,}/#)
  }

  private static func files() throws -> [SwiftText] {
    let root = PackageFolder.path("Sources")
    guard let found = FileManager.default.enumerator(atPath: root) else { return [] }
    return try found.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().map {
      try SwiftText(name: $0, text: String(contentsOfFile: root + "/" + $0, encoding: .utf8))
    }
  }
}

/// Swift source, as far as one has to understand it to find texts and calls.
private struct SwiftText {
  /// A text, cut where something is put into it.
  struct Text {
    var start: Int
    var pieces: [String]
  }

  let name: String
  private let bytes: [UInt8]
  private var texts: [Text] = []
  /// Code without comments and without texts; what was there is blank.
  private var code: [UInt8]

  init(name: String, text: String) {
    self.name = name
    bytes = Array(text.utf8)
    code = bytes
    var place = 0
    while place < bytes.count {
      if has("//", at: place) {
        let end = bytes[place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        blank(place..<end)
        place = end
      } else if bytes[place] == UInt8(ascii: "\"") {
        place = readText(at: place)
      } else {
        place += 1
      }
    }
    texts.sort { $0.start < $1.start }
  }

  func line(of place: Int) -> Int { bytes[..<place].count { $0 == UInt8(ascii: "\n") } + 1 }

  func allTexts() -> [Text] { texts }

  func texts(in range: Range<Int>) -> [[String]] {
    texts.filter { range.contains($0.start) }.map { $0.pieces.filter { !$0.isEmpty } }
  }

  /// The arguments of each call that is written so.
  func calls(_ name: String) -> [Range<Int>] {
    let wanted = Array(name.utf8.prefix { $0 != UInt8(ascii: "\"") })
    guard code.count > wanted.count else { return [] }
    return (0..<code.count - wanted.count).filter { place in
      // The slice is made where the first byte agrees: in a debug build it takes long.
      guard code[place] == wanted[0], code[place..<place + wanted.count].elementsEqual(wanted)
      else { return false }
      // A name within another one is none, and `.usage(` with a type before it is of that type.
      guard place > 0 else { return true }
      let before = Character(UnicodeScalar(code[place - 1]))
      return !before.isLetter && !before.isNumber
    }.map { place in
      let start = place + wanted.count
      var depth = 1
      var end = start
      while end < code.count, depth > 0 {
        if code[end] == UInt8(ascii: "(") { depth += 1 }
        if code[end] == UInt8(ascii: ")") { depth -= 1 }
        end += 1
      }
      return start..<end
    }
  }

  private func has(_ word: String, at place: Int) -> Bool {
    bytes[place...].starts(with: Array(word.utf8))
  }

  private mutating func blank(_ range: Range<Int>) {
    for place in range where code[place] != UInt8(ascii: "\n") { code[place] = UInt8(ascii: " ") }
  }

  /// Reads the text that begins there, and those in what is put into it; returns where it ends.
  private mutating func readText(at start: Int) -> Int {
    let quote = has("\"\"\"", at: start) ? "\"\"\"" : "\""
    var pieces: [[UInt8]] = [[]]
    var place = start + quote.utf8.count
    while place < bytes.count, !has(quote, at: place) {
      if has("\\(", at: place) {
        place = skipInserted(from: place + 2)
        pieces.append([])
      } else if bytes[place] == UInt8(ascii: "\\") {
        if bytes[place + 1] != UInt8(ascii: "\n") {
          pieces[pieces.count - 1].append(bytes[place + 1])
        }
        place += 2
      } else {
        pieces[pieces.count - 1].append(bytes[place])
        place += 1
      }
    }
    let end = min(bytes.count, place + quote.utf8.count)
    texts.append(Text(start: start, pieces: pieces.map { String(decoding: $0, as: UTF8.self) }))
    blank(start..<end)
    return end
  }

  private mutating func skipInserted(from start: Int) -> Int {
    var depth = 1
    var place = start
    while place < bytes.count, depth > 0 {
      if bytes[place] == UInt8(ascii: "\"") {
        place = readText(at: place)
        continue
      }
      if bytes[place] == UInt8(ascii: "(") { depth += 1 }
      if bytes[place] == UInt8(ascii: ")") { depth -= 1 }
      place += 1
    }
    return place
  }
}
