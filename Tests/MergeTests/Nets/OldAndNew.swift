import Foundation
import Testing

@testable import MergeEngine

/// The program of an earlier commit, built by `scripts/oracle`, against which the program under
/// test is checked.
enum Oracle {
  /// The folder that contains the earlier program, and the library that stops programs; nil if not
  /// set.
  static let folder = ProcessInfo.processInfo.environment["THIN_MERGE_ORACLE"]

  static var program: String { (folder ?? "") + "/thin-merge" }
  static var stopper: String { (folder ?? "") + "/stop.so" }

  /// Returns the reason for each intended difference, keyed by case name.
  ///
  /// The reasons are read from a file with one case per line.
  static func intendedDifferences() throws -> [String: String] {
    let text = try String(
      contentsOfFile: PackageFolder.path("Tests/Oracle/intended-differences.txt"), encoding: .utf8)
    var reasons: [String: String] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " | ", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw SupportError("no case and reason: \(line)") }
      reasons[parts[0]] = parts[1]
    }
    return reasons
  }
}

extension Trait where Self == ConditionTrait {
  /// A condition that enables a test only if the program of an earlier commit is available.
  static var needsOracle: Self {
    .enabled("THIN_MERGE_ORACLE does not say where scripts/oracle built one") {
      Oracle.folder != nil
    }
  }
}

/// The program to run: either that of an earlier commit, or the one under test.
enum Generation: CaseIterable, Sendable {
  case old, new

  var other: Generation { self == .old ? .new : .old }
  var program: String { self == .old ? Oracle.program : ThinMergeCommand.binaryPath }

  func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> CommandResult {
    try ChildProcess([program] + arguments, environment: environment).wait()
  }
}

/// The exit status, origin and journals that a run left behind, without values that vary from run
/// to run.
struct Left: Equatable {
  var exitStatus: Int32
  var origin: Data
  var journals: [String: String]

  /// Combines the exit status of a run with the current content of its folder.
  init(_ result: CommandResult, in folder: TemporaryFolder) throws {
    exitStatus = result.exitStatus
    let originPath = folder.path("origin.img")
    origin =
      FileManager.default.fileExists(atPath: originPath) ? try content(of: originPath) : Data()
    let names = try folder.names()
    journals = try names.filter { $0.contains(".thin-merge") || $0.hasSuffix(".journal") }
      .reduce(into: [:]) { $0[$1] = try Self.text(ofJournal: folder.path($1)) }
  }

  /// Returns a journal's header and records as text, without times and boot IDs; if the file is not
  /// a valid journal, returns its bytes in Base64.
  private static func text(ofJournal path: String) throws -> String {
    do {
      var header = try JournalOnDisk.reader(of: path).header
      header.bootID = ""
      header.madeSeconds = 0
      let records = try JournalOnDisk.records(of: path).map { record -> JournalRecord in
        switch record {
        case .attempt(var attempt):
          attempt.seconds = 0
          attempt.bootID = ""
          return .attempt(attempt)
        case .checkpoint(var checkpoint):
          checkpoint.seconds = 0
          return .checkpoint(checkpoint)
        case .unreadable: return record
        case .finished: return .finished(seconds: 0)
        case .verified: return .verified(seconds: 0)
        case .handover(let handover, _): return .handover(handover, seconds: 0)
        case .handedOver: return .handedOver(seconds: 0)
        case .handoverDropped: return .handoverDropped(seconds: 0)
        case .givenUp(var taker):
          taker.seconds = 0
          return .givenUp(taker)
        }
      }
      return "\(header)\n" + records.map { "\($0)\n" }.joined()
    } catch {
      return try content(of: path).base64EncodedString()
    }
  }

  /// Returns a description of the first difference, or nil if there is none.
  func difference(to other: Left) -> String? {
    if exitStatus != other.exitStatus { return "exit \(exitStatus) and \(other.exitStatus)" }
    if origin != other.origin {
      return "the origin, at \(differingSectors(origin, other.origin))"
    }
    if journals.keys.sorted() != other.journals.keys.sorted() {
      return "journals \(journals.keys.sorted()) and \(other.journals.keys.sorted())"
    }
    for (name, text) in journals where other.journals[name] != text {
      return "\(name):\n" + RecordedText.difference(from: text, to: other.journals[name] ?? "")
    }
    return nil
  }
}

/// The number of cases that both programs ran, and the cases in which their results differed.
struct Differences {
  private static let kinds = ["image", "journal", "damage", "arguments"]

  /// Returns true if a case name begins with one of the known kinds, as in `image: no root, plan`.
  static func isCase(_ name: String) -> Bool {
    kinds.contains { name.hasPrefix($0 + ": ") }
  }

  private(set) var found: [String: String] = [:]
  private(set) var caseCount = 0

  /// Runs both programs with the same arguments, and records the first difference in their results.
  ///
  /// Before each run, `prepare` restores the folder to the same state.
  mutating func compare(
    _ name: String, in folder: TemporaryFolder, _ arguments: [String],
    prepare: () throws -> Void
  ) throws {
    caseCount += 1
    try prepare()
    let old = try Left(Generation.old.run(arguments), in: folder)
    try prepare()
    let new = try Left(Generation.new.run(arguments), in: folder)
    if let difference = old.difference(to: new) { found[name] = difference }
  }

  /// Checks that the differences found are exactly the intended differences of the given kind.
  func expectIntended(_ kind: String) throws {
    let intended = try Oracle.intendedDifferences().filter { $0.key.hasPrefix(kind + ": ") }
    for (name, difference) in found.sorted(by: { $0.key < $1.key }) where intended[name] == nil {
      Issue.record("\(name): old and new differ: \(difference)")
    }
    for name in intended.keys.sorted() where found[name] == nil {
      Issue.record("\(name): old and new are said to differ, and do not")
    }
  }
}

@Suite("Old vs. new program: the list of intended differences")
struct IntendedDifferencesTests {
  @Test("the list of intended differences contains only cases of the kinds that are compared")
  func kinds() throws {
    #expect(Differences.isCase("image: no root, plan"))
    #expect(!Differences.isCase("images: no root, plan"))
    for name in try Oracle.intendedDifferences().keys.sorted() {
      #expect(Differences.isCase(name), "\(name)")
    }
  }
}
