import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// All error situations that the tests produce, by area.
enum ErrorSituations {
  static let all: [(area: String, situations: [ErrorSituation])] = [
    (
      "command line", CommandLineErrorTests.situations + CommandLineErrorTests.ofDevices
    ),
    ("metadata", MetadataErrorTests.situations),
    ("file", FileErrorTests.situations),
    (
      "journal",
      JournalErrorTests.situations + JournalErrorTests.asRoot + JournalErrorTests.refused
        + JournalTrustErrorTests.situations + JournalTrustErrorTests.asRoot
    ),
    ("mark", OriginMarkErrorTests.situations),
    ("loop device", LoopDeviceErrorTests.situations),
    ("other merge", JournalMatchErrorTests.situations + JournalMatchErrorTests.ofDevices),
    ("finished merge", FinishedMergeErrorTests.situations),
    ("pool", PoolErrorTests.situations),
    ("thin device", ThinDeviceErrorTests.situations),
    ("volume", VolumeErrorTests.situations),
    (
      "stop",
      StopErrorTests.situations + StopErrorTests.refused
        + [StopErrorTests.refusedToRoot, StopErrorTests.refusedOfDevice]
    ),
  ]
}

@Suite("Errors: the catalogs of codes, messages and situations")
struct ErrorCatalogueTests {
  private static let codes =
    MergeError.Code.allCases.map(\.rawValue) + FailureCode.allCases.map(\.rawValue)

  @Test("the error for an impossible metadata block count does not suggest extending a copy")
  func impossibleBlockCount() {
    for count in [UInt64.max, 1 << 52, MetadataBounds.blockCountMax + 1] {
      let error = MetadataFault.cut(blockCount: count, there: 1).refusal(path: "METADATA")
      #expect(error.hint?.contains("truncate") != true, "\(count)")
    }
    let error = MetadataFault.cut(blockCount: 3, there: 1).refusal(path: "METADATA")
    #expect(error.hint?.contains("truncate --size 12288") == true)
  }

  @Test("every error code is produced by a test or listed as impossible to produce in one")
  func everyCodeIsMet() {
    let met = Set(ErrorSituations.all.flatMap(\.situations).map(\.code))
    let stated = Set(ErrorSamples.notBroughtAbout.map(\.error.code))
    #expect(Set(Self.codes).subtracting(met).subtracting(stated) == [])
    #expect(met.subtracting(Self.codes) == [])
    #expect(ErrorSamples.notBroughtAbout.count == 18)
  }

  @Test("every note code of the engine has a sample note")
  func everyNoteHasASample() {
    #expect(Set(MergeNote.Code.allCases) == Set(ErrorSamples.notes.map(\.code)))
  }

  @Test("error and note codes are lower-case words joined by hyphens")
  func codesAreWords() {
    for code in Self.codes + MergeNote.Code.allCases.map(\.rawValue) {
      #expect(code.wholeMatch(of: #/[a-z]+(-[a-z]+)*/#) != nil, "\(code)")
    }
  }

  @Test("within an area, no two error situations have the same name")
  func names() {
    let names = ErrorSituations.all.flatMap { area, situations in
      situations.map { "\(area): \($0.testDescription)" }
    }
    #expect(Set(names).count == names.count)
  }

  @Test(
    "an error states what failed, where and why, and no line of its text or hints ends in a period")
  func shape() throws {
    let messages = try RecordedMessages()
    #expect(messages.errors.count > 300)
    for error in messages.errors {
      // An error message starts with a lower-case letter. An upper-case first word is a placeholder
      // for a path.
      let first = error.message.prefix { $0 != " " }
      let isPath = first.contains("/") || first.allSatisfy(\.isUppercase)
      #expect(isPath || error.message.first?.isUppercase == false, "\(error.message)")
      if error.exitStatus != ExitStatus.usage.rawValue {
        #expect(error.message.contains(#/^[^:]+, .+: .+/#), "\(error.message)")
      }
      for line in [error.message] + error.hints {
        #expect(!line.isEmpty && !line.hasSuffix("."), "\(line)")
      }
    }
  }

  @Test("no error message exposes internals such as type names, stack traces or bare error numbers")
  func insides() throws {
    for text in try RecordedMessages().errors.flatMap(\.lines) {
      #expect(!Self.showsInsides(text), "\(text)")
    }
    // Confirms that the check detects internals.
    let insides = [
      "cannot read, PATH: Optional(5)", "cannot read, PATH: errno 5", "Swift.DecodingError",
      "JournalFault(reason: \"cut\")", "at 0x00007f3a1c2d", "Fatal error: index out of range",
      "cannot read, PATH: keyNotFound", "in Merger.swift:12",
    ]
    for text in insides { #expect(Self.showsInsides(text), "\(text)") }
  }

  // Detects type and enumeration case names, optionals, bare error numbers, addresses and source
  // files.
  private static func showsInsides(_ text: String) -> Bool {
    text.contains(
      #/
      Swift|\.swift|Optional|MergeEngine|thin_merge|rawValue|[Ff]atal|0x[0-9a-f]{9,}|\bnil\b
      |[Ee]rrno\ ?-?[0-9]+|\b[A-Z][A-Za-z]+\(|\b[a-z]+[A-Z][a-z]+
      /#)
  }
}

/// The errors and notes recorded in `Tests/Messages.txt`.
///
/// The errors are those that the situations produce.
struct RecordedMessages {
  private(set) var errors: [ReportedError] = []
  private(set) var notes: [(code: String, text: String)] = []

  init() throws {
    let path = PackageFolder.path("Tests/Messages.txt")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    var section: Substring = ""
    var exitStatus: Int32 = 0
    var code = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# ") { section = line.dropFirst(2) }
      guard ["Errors", "Notes"].contains(section) else { continue }
      if let heading = line.firstMatch(of: #/^## .* \[([a-z-]+)\]$/#) {
        code = String(heading.output.1)
      } else if let heading = line.firstMatch(of: #/^## ([a-z-]+)$/#) {
        code = String(heading.output.1)
      } else if let note = line.firstMatch(of: #/^note: (.*)$/#) {
        notes.append((code, String(note.output.1)))
      } else if let status = line.firstMatch(of: #/^exit (\d+)$/#) {
        exitStatus = Int32(status.output.1) ?? 0
      } else if let message = line.firstMatch(of: #/^error: (.*)$/#) {
        errors.append(
          ReportedError(code: code, message: String(message.output.1), exitStatus: exitStatus))
      } else if let hint = line.firstMatch(of: #/^hint: (.*)$/#), !errors.isEmpty {
        errors[errors.count - 1].hints.append(String(hint.output.1))
      } else if line.hasPrefix("  "), let last = errors.last?.hints.indices.last {
        errors[errors.count - 1].hints[last] += "\n" + line
      }
    }
  }

  /// Returns the lines of each error that has the given code, followed by those of each such note.
  func lines(ofCode code: String) -> [[String]] {
    errors.filter { $0.code == code }.map(\.lines)
      + notes.filter { $0.code == code }.map { ["note: \($0.text)"] }
  }
}
