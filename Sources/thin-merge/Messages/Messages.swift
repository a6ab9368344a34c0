internal import ArgumentParser
internal import MergeEngine

/// The audience of the report and of the lines on standard error.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// People.
  case text
  /// Programs.
  case json

}

/// A message to the user that is not an error, as the command prints it.
struct Note: Equatable, Sendable {
  /// The kind of note, for programs: a code of the engine, or one of the command's own.
  var code: String
  /// One sentence, for people.
  var text: String

  /// The codes of the command's own notes.
  enum Code: String, CaseIterable {
    /// A stop of the verb was requested.
    case stopping = "stopping"
    /// Transfers in flight are not drained.
    case notDraining = "not-draining"
  }

  static let stopping = Note(
    code: Code.stopping.rawValue,
    text: "stopping in good order; a second Ctrl-C does not drain, a third ends the process at once"
  )
  static let notDraining = Note(
    code: Code.notDraining.rawValue,
    text: "not draining: what is in flight is waited for at most 5 s")
}

extension Note {
  /// Creates the note for a note of the engine.
  init(_ note: MergeNote) {
    self.init(code: note.code.rawValue, text: note.textInCommandTerms)
  }
}

/// Lines on standard error: sentences, or one JSON object each.
///
/// For the systemd journal each line begins with its priority, as in sd-daemon(3).
struct Messages: Sendable {
  /// The priority of a line, as numbered in syslog(3).
  private enum Priority: Int {
    case error = 3
    case notice = 5
    case information = 6
  }

  /// The format of the lines.
  let format: OutputFormat
  /// True if the systemd journal reads the lines.
  let isForJournal: Bool
  private let secondsSince1970: @Sendable () -> Int64
  private let write: @Sendable (_ text: String, _ isDispensable: Bool) -> Void

  /// Returns the format of the lines for the requested formats of report and progress.
  ///
  /// With progress in JSON, every line on standard error is JSON.
  static func format(output: OutputFormat, progress: ProgressMode) -> OutputFormat {
    progress == .json ? .json : output
  }

  /// Returns the format that a command line requests, even if the rest of it is invalid.
  static func format(askedIn arguments: [String]) -> OutputFormat {
    var output = OutputFormat.text
    var progress = ProgressMode.auto
    var words = arguments.prefix { $0 != "--" }[...]
    while let word = words.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let value = parts.count == 2 ? String(parts[1]) : words.first else { continue }
      switch parts[0] {
      case "--output": output = OutputFormat(rawValue: value) ?? output
      case "--progress": progress = ProgressMode(rawValue: value) ?? progress
      default: continue
      }
    }
    return format(output: output, progress: progress)
  }

  /// Creates lines of `format` that go to `write`, with a flag for lines to drop if nobody reads.
  ///
  /// - `isForJournal`: true if the systemd journal reads the lines.
  init(
    format: OutputFormat, isForJournal: Bool = ProcessEnvironment.standardErrorIsJournal,
    secondsSince1970: @autoclosure @escaping @Sendable () -> Int64 =
      ThisSystem
      .secondsSince1970(),
    write: @escaping @Sendable (String, Bool) -> Void = {
      StandardStream.error.write($0, isDispensable: $1)
    }
  ) {
    self.format = format
    self.isForJournal = isForJournal
    self.secondsSince1970 = secondsSince1970
    self.write = write
  }

  private func message(_ document: some Encodable) -> String {
    JSONText.message(document, seconds: secondsSince1970())
  }

  /// Writes whole lines, with the priority if the systemd journal reads them.
  private func write(_ priority: Priority, _ text: String) {
    let isDispensable = priority != .error
    guard isForJournal else { return write(text, isDispensable) }
    let prefix = "<\(priority.rawValue)>"
    write(
      text.split(separator: "\n").map { "\(prefix)\($0)\n" }.joined(), isDispensable)
  }

  /// Prints the reason why the command fails.
  func failure(_ failure: Failure) {
    switch format {
    case .text:
      let lines =
        ["thin-merge: error: \(TerminalText.forPeople(failure.message))"]
        + (failure.hint.map { TerminalText.lines(ofHint: $0) } ?? [])
      write(.error, lines.map { "\($0)\n" }.joined())
    case .json:
      let document = FailureDocument(
        type: "error", code: failure.code, message: failure.message,
        hint: failure.hint, exitStatus: failure.exitStatus.rawValue)
      write(.error, message(document))
    }
  }

  /// Prints a note.
  func note(_ note: Note) {
    switch format {
    case .text: write(.notice, "thin-merge: note: \(TerminalText.forPeople(note.text))\n")
    case .json:
      write(
        .notice,
        message(NoteDocument(type: "note", code: note.code, message: note.text)))
    }
  }

  /// Prints the verb's progress; dropped if nobody reads.
  func progress(_ line: ProgressLine, as format: OutputFormat) {
    switch format {
    case .text: write(.information, "thin-merge: \(line.detailedSentence)\n")
    case .json: write(.information, message(ProgressDocument(line)))
    }
  }

  /// Writes part of a display for people, unchanged; dropped if nobody reads.
  func raw(_ text: String) { write(text, true) }
}

private struct FailureDocument: Encodable {
  var type: String
  var code: String
  var message: String
  @Nullable var hint: String?
  var exitStatus: Int32

  private enum CodingKeys: String, CodingKey {
    case type, code, message, hint
    case exitStatus = "exit_status"
  }
}

private struct NoteDocument: Encodable {
  var type: String
  var code: String
  var message: String
}
