import Testing

@testable import thin_merge

/// All rows, whatever they are about.
enum EveryError {
  static let rows =
    WhatIsWrongWithTheCommandLine.rows + WhatIsWrongWithTheCommandLine.ofDevices
    + WhatIsWrongWithTheMetadata.rows + WhyAFileIsNotUsed.rows
    + WhyAJournalIsNotUsed.rows + WhyAPoolIsNotUsed.rows + WhyAThinDeviceIsNotAtRest.rows
    + WhyAMergeStopped.rows + WhyAJournalIsNotUsed.asRoot + WhyAJournalIsNotUsed.refused
    + WhyAMergeStopped.refused + WhyAMergeLostItsFiles.rows
    + WhyAJournalIsNotTrusted.rows + WhyAJournalIsNotTrusted.asRoot
    + [WhyAMergeStopped.refusedToRoot, WhyAMergeStopped.refusedOfDevice]

  /// What a row says, as one text.
  static let texts = rows.map {
    ([$0.expected.message] + $0.expected.hints).joined(separator: "\n")
  }
}

@Suite("Errors: all of them")
struct EveryErrorTests {
  @Test("an error that is worded in the sources stands in a row, every word of it")
  func everyErrorHasRows() throws {
    let errors = try SourceErrors.made()
    #expect(errors.count > 150)
    for error in errors {
      let candidates = EveryError.texts.filter { text in error.what.allSatisfy(text.contains) }
      if candidates.isEmpty { Issue.record("\(error.place): no row for \(error.what)") }
      for words in error.rest where !candidates.contains(where: { $0.contains(words) }) {
        Issue.record("\(error.place): no row of \(error.what) has: \(words)")
      }
    }
  }

  @Test("thirteen rows only state their words, two of them of mistakes of the program")
  func onlyStated() {
    let rows = EveryError.rows.filter { !$0.canBeMet }
    #expect(rows.count == 13, "\(rows.map(\.testDescription))")
    let bugs = rows.filter { $0.expected.exitStatus == ExitStatus.bug.rawValue }
    #expect(bugs.count == 2, "\(bugs.map(\.testDescription))")
  }

  @Test("a phrase of the engine is said in passing, or stands in a row")
  func everyPhraseHasARow() throws {
    let phrases = try SourceErrors.phrases()
    #expect(phrases.count > 200)
    for phrase in phrases where !Self.saidToNobody.contains(phrase.words) {
      let isSaid = EveryError.texts.contains { $0.contains(phrase.words) }
      #expect(isSaid, "\(phrase.place): \(phrase.words)")
    }
  }

  private static let saidToNobody = [
    "swap file",  // so the kernel marks one in /proc/swaps
    "lock of the pool",  // the file's own error is not the one that is shown
    // Said by the compiler.
    "the numbers of a run must be turned round for its fingerprint",
    "the numbers must be turned round",
  ]

  @Test("an error says what, where and why; a hint is a line")
  func shape() {
    for row in EveryError.rows {
      let message = row.expected.message
      // No sentence begins behind a colon; what is in capitals here is a path to whoever reads it.
      let first = message.prefix { $0 != " " }
      let isPath = first.contains("/") || first.allSatisfy(\.isUppercase)
      #expect(isPath || message.first?.isUppercase == false, "\(message)")
      if row.expected.exitStatus != ExitStatus.usage.rawValue {
        #expect(message.contains(#/^[^:]+, .+: .+/#), "\(message)")
      }
      for line in [message] + row.expected.hints {
        #expect(!line.isEmpty && !line.contains("\n") && !line.hasSuffix("."), "\(line)")
      }
    }
  }

  @Test("no error shows what only the program's authors know")
  func insides() {
    for text in EveryError.texts { #expect(!Self.showsInsides(text), "\(text)") }
    // That it would be seen.
    let insides = [
      "cannot read, PATH: Optional(5)", "cannot read, PATH: errno 5", "Swift.DecodingError",
      "JournalFault(reason: \"cut\")", "at 0x00007f3a1c2d", "Fatal error: index out of range",
      "cannot read, PATH: keyNotFound", "in Merger.swift:12",
    ]
    for text in insides { #expect(Self.showsInsides(text), "\(text)") }
  }

  // Types and cases of enumerations, optionals, error numbers without words, addresses, traces.
  private static func showsInsides(_ text: String) -> Bool {
    text.contains(
      #/
      Swift|\.swift|Optional|MergeEngine|thin_merge|rawValue|[Ff]atal|0x[0-9a-f]{9,}|\bnil\b
      |[Ee]rrno\ ?-?[0-9]+|\b[A-Z][A-Za-z]+\(|\b[a-z]+[A-Z][a-z]+
      /#)
  }

  @Test("an error says what can be done about it, unless its reason says it all")
  func hints() {
    for row in EveryError.rows where row.expected.hints.isEmpty {
      let message = row.expected.message
      #expect(Self.saysItAll.contains(where: message.contains), "\(message)")
    }
  }

  private static let saysItAll = [
    "No such file or directory", "a regular file", "interrupted, ", "not merged, ",
    "more than a program can have",
  ]
}
