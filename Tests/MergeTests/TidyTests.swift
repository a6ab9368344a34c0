import Foundation
import Testing

/// A source file, both as written and without comments and string contents.
private struct SourceFile: Sendable {
  /// The path of the file, relative to the package folder.
  let path: String
  let lines: [String]
  /// The lines of code, without comments and without the contents of string literals.
  let code: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // Declared outside the loop, because a debug build would compile the pattern for each line.
    let text = #/"(?:[^"\\]|\\.)*"/#
    code = lines.map {
      Self.withoutComment($0.contains("\"") ? $0.replacing(text, with: "\"\"") : $0)
    }
  }

  private static func withoutComment(_ withoutTexts: String) -> String {
    guard let comment = withoutTexts.firstRange(of: "//") else { return withoutTexts }
    return String(withoutTexts[..<comment.lowerBound])
  }

  /// Returns the location of each line of code that `matches` accepts, as `path:line`.
  func places(where matches: (String) -> Bool) -> [String] {
    code.indices.filter { matches(code[$0]) }.map { "\(path):\($0 + 1): \(lines[$0])" }
  }
}

/// The source files of the package, as they were when the tests were built.
private enum SourceTree {
  static let files: [SourceFile] = {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let sources = root.appending(path: "Sources")
    guard
      let found = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    else { return [] }
    return found.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
      .compactMap { url in
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return nil }
        let path = url.path(percentEncoded: false)
        return SourceFile(
          path: String(path.dropFirst(root.path(percentEncoded: false).count)), text: text)
      }
      .sorted { $0.path < $1.path }
  }()

  /// Returns the source files in a folder, or the single file with that path.
  static func files(in folder: String) -> [SourceFile] {
    files.filter {
      $0.path.hasPrefix("Sources/\(folder)/") || $0.path == "Sources/\(folder)"
    }
  }
}

@Suite("Tidiness: rules for the source text")
struct TidyTests {
  /// The layers of the engine, each of which may use only declarations from earlier layers.
  ///
  /// Each layer is a folder, except the last, which is a file next to the folders.
  private static let layers = [
    "Basics", "API", "System", "IO", "Metadata", "Source", "LVM", "Pool", "Plan", "Target",
    "Journal", "Transfer", "Operations", "Merger.swift",
  ]

  @Test("every folder of the engine is a layer, and every layer contains sources")
  func found() {
    let names = SourceTree.files(in: "MergeEngine").map {
      $0.path.split(separator: "/").dropFirst(2).first.map(String.init) ?? ""
    }
    #expect(Set(names) == Set(Self.layers))
    #expect(!SourceTree.files(in: "thin-merge").isEmpty)
  }

  @Test("raw memory and C calls are used only in the files allowed to use them")
  func rawMemory() throws {
    let allowed = [
      "Sources/MergeEngine/Basics/RawSpan+", "Sources/MergeEngine/Basics/Checksums.swift",
      "Sources/MergeEngine/System/", "Sources/MergeEngine/IO/", "Sources/MergeEngine/Pool/",
      "Sources/thin-merge/System/",
    ]
    let memory = #/\bunsafe\b|\bimport (CAIO|CISAL|CDeviceMapper|Glibc)\b/#
    for file in SourceTree.files where !allowed.contains(where: file.path.hasPrefix) {
      let places = file.places { $0.contains(memory) }
      #expect(places == [])
    }
  }

  /// The source files shorter than 40 lines, each with the reason it is a separate file.
  private static let smallFiles = [
    "MergeEngine/Basics/Clock.swift": "handed in everywhere, and of no other family",
    "MergeEngine/Basics/BlockNumber.swift": "numbers that everything else is made of",
    "MergeEngine/IO/FixedArray.swift": "unsafe code, kept apart",
    "MergeEngine/Journal/JournalSize.swift": "one bound, and what it rests on",
    "MergeEngine/Metadata/NodeLedger.swift": "one data structure, with its own tests",
    "MergeEngine/Operations/ApprovedMerge.swift": "the only file that can make one",
    "MergeEngine/Operations/DevicesOperation.swift": "one verb",
    "MergeEngine/Operations/MergePlaces.swift": "one question, asked before the start and the end",
    "MergeEngine/Plan/DataBlockLedger.swift": "one data structure, with its own tests",
    "MergeEngine/Source/RunSource.swift": "the protocol that a source conforms to",
    "MergeEngine/System/SystemCalls.swift": "what every call to the system needs",
    "MergeEngine/System/ThisSystem.swift": "the only place that asks for time, boot and process",
    "MergeEngine/Transfer/RateLimiter.swift": "one rule",
    "thin-merge/Arguments/ConsentArguments.swift": "one group of options",
    "thin-merge/Arguments/DecimalSeconds.swift": "one type of argument",
    "thin-merge/Arguments/ExtentArguments.swift": "one group of options",
    "thin-merge/Arguments/FinishArguments.swift": "one group of options",
    "thin-merge/Arguments/PoolArguments.swift": "one group of options",
    "thin-merge/Commands/List.swift": "one command",
    "thin-merge/Commands/Status.swift": "one command",
    "thin-merge/Messages/TerminalText.swift": "what keeps foreign text off the terminal",
    "thin-merge/Reports/DevicesDocument.swift": "one document",
    "thin-merge/Reports/DevicesText.swift": "one report",
    "thin-merge/Reports/StatusListDocument.swift": "one document",
    "thin-merge/System/EndPatience.swift": "one rule",
    "thin-merge/System/ProcessArguments.swift": "the bytes of the command line",
    "thin-merge/System/ProcessEnvironment.swift": "the variables of the process",
    "thin-merge/System/StandardStream.swift": "the two streams of the process",
    "thin-merge/ThinMerge.swift": "the entry point",
  ]

  /// The only file allowed to exceed 450 lines: the list of all error codes with their meanings.
  private static let longFile = "Sources/MergeEngine/API/MergeErrorCode.swift"

  @Test("every source file has 40 to 450 lines, apart from lists and listed exceptions")
  func fileLength() {
    for file in SourceTree.files {
      // The extra line is the empty one after the final newline.
      #expect(file.lines.count <= 451 || file.path == Self.longFile, "\(file.path)")
      if file.lines.count <= 40 {
        #expect(
          Self.smallFiles[String(file.path.dropFirst("Sources/".count))] != nil, "\(file.path)")
      }
    }
  }

  @Test("only an approved, running merge opens its target for writing")
  func onlyRunningMergesWrite() {
    let opening = #/\bDeviceTarget\(|role: "origin", access: \.readWrite/#
    let places = SourceTree.files.filter { file in file.lines.contains { $0.contains(opening) } }
    #expect(
      places.map(\.path).sorted() == [
        "Sources/MergeEngine/Operations/RunningMerge.swift",
        "Sources/MergeEngine/Target/DeviceTarget.swift",
      ])
  }

  @Test("no source contains try!, as!, fatalError or a to-do")
  func shortcuts() {
    let shortcut = #/\btry!|\bas!|\bfatalError\(/#
    let mark = #/\b(TODO|FIXME|XXX)\b/#
    for file in SourceTree.files {
      #expect(file.places { $0.contains(shortcut) } == [])
      let leftOver = file.lines.filter { $0.contains(mark) }
      #expect(leftOver == [], "\(file.path)")
    }
  }

  @Test("every type visible outside its file has a doc comment")
  func typesAreDescribed() {
    for file in SourceTree.files {
      for index in file.lines.indices
      where Self.isVisibleType(file.code[index]) && !Self.isDescribed(file.lines, index) {
        Issue.record("\(file.path):\(index + 1): \(file.lines[index])")
      }
    }
  }

  @Test("a layer names nothing that a later layer declares")
  func layerOrder() {
    var owners: [String: Int] = [:]
    var ambiguous: Set<String> = []
    for (layer, name) in Self.layers.enumerated() {
      for file in SourceTree.files(in: "MergeEngine/\(name)") {
        for type in Self.declaredTypes(in: file) {
          if let other = owners[type], other != layer { ambiguous.insert(type) }
          owners[type] = layer
        }
      }
    }
    #expect(owners.count > 50)
    let typeName = #/\b[A-Z]\w+/#
    for (layer, name) in Self.layers.enumerated() {
      for file in SourceTree.files(in: "MergeEngine/\(name)") {
        for (number, line) in file.code.enumerated() {
          for word in line.matches(of: typeName) {
            let type = String(word.output)
            guard let owner = owners[type], owner > layer, !ambiguous.contains(type) else {
              continue
            }
            Issue.record(
              "\(file.path):\(number + 1): \(name) names \(type) of \(Self.layers[owner])")
          }
        }
      }
    }
  }

  @Test("the command does not name the types of the engine that do I/O or read journals")
  func commandUsesTheVerbs() {
    for file in SourceTree.files(in: "thin-merge") {
      #expect(
        file.places { $0.contains(#/\b(LinuxAIO|OpenFile|JournalReader|IORequest)\b/#) } == [])
    }
  }

  @Test("no text in the engine names an option or verb of the command")
  func engineKnowsNoOptions() {
    for file in SourceTree.files(in: "MergeEngine") {
      for (number, line) in file.lines.enumerated()
      where line.contains("--") || line.contains("thin-merge ") {
        let options = line.matches(of: #/--[a-z][a-z0-9-]+/#).map { String($0.output) }
          .filter { !Self.optionsOfOthers.contains($0) }
        let verbs = line.matches(of: #/thin-merge (merge|resume|verify|plan|status|devices)\b/#)
        #expect(options == [] && verbs.isEmpty, "\(file.path):\(number + 1): \(line)")
      }
    }
  }

  /// The options of programs that hints name, and of the LVM commands that the engine runs.
  private static let optionsOfOthers = [
    "--clear-needs-check-flag", "--data-block-size", "--foreign", "--getsize64", "--lock-type",
    "--nosuffix", "--nr-data-blocks", "--poolmetadatasize", "--reportformat", "--select", "--setrw",
    "--shared", "--size", "--table", "--target", "--transaction-id", "--uncache", "--units",
    "--uuid",
  ]

  @Test("errors and notes get their words only in the catalogues")
  func wordsStandInCatalogues() {
    let catalogues = [
      "API/Errors/", "API/MergeError.swift", "API/Notes", "Metadata/MetadataFault",
      "Journal/JournalFault.swift",
    ]
    for file in SourceTree.files(in: "MergeEngine")
    where !catalogues.contains(where: { file.path.hasPrefix("Sources/MergeEngine/\($0)") }) {
      let places = file.places {
        $0.contains("(") && $0.contains(#/\b(MergeError|MergeNote|MetadataFault|JournalFault)\(/#)
      }
      #expect(places == [])
    }
  }

  private static func isVisibleType(_ line: String) -> Bool {
    // Matching is slow in a debug build, and few lines begin this way.
    guard line.hasPrefix("p") || line.hasPrefix("@") else { return false }
    return line.contains(#/^(@\w+ )?(public|package) (final )?(struct|enum|class|protocol|actor) /#)
  }

  /// Returns the top-level types in a file.
  ///
  /// Nested types are referred to through these.
  private static func declaredTypes(in file: SourceFile) -> [String] {
    file.code.compactMap { line in
      // Matching is slow in a debug build, and most lines are indented.
      guard line.first?.isLetter == true || line.first == "@" else { return nil }
      return line.firstMatch(
        of:
          #/^(?:@\w+ )?(?:public |package |internal )?(?:final )?(?:struct|enum|class|protocol|typealias) (\w+)/#
      ).map { String($0.output.1) }
    }
  }

  /// Returns true if a doc comment precedes the declaration on the given line, ignoring attributes.
  private static func isDescribed(_ lines: [String], _ index: Int) -> Bool {
    var above = index - 1
    while above >= 0, lines[above].hasPrefix("@") { above -= 1 }
    return above >= 0 && lines[above].hasPrefix("///")
  }
}
