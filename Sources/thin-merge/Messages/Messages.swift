internal import ArgumentParser
internal import MergeEngine

/// The format of the report and of the lines on standard error.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Text for people.
  case text
  /// JSON for programs.
  case json
}

/// A message to the user that is not an error, as the command prints it.
struct Note: Equatable, Sendable {
  /// The kind of note, for programs: one of the engine's codes or one of the command's own.
  var code: String
  /// The note as one sentence, for people.
  var text: String

  /// The codes of the command's own notes.
  enum Code: String, CaseIterable {
    /// A request to stop the verb was received.
    case stopping = "stopping"
    /// The verb stops without draining: transfers in flight get only 5 s to complete.
    case notDraining = "not-draining"
  }

  static let stopping = Note(
    code: Code.stopping.rawValue,
    text: "stopping after the transfers in flight; a second Ctrl-C does not wait for them, a third "
      + "kills the process")
  static let notDraining = Note(
    code: Code.notDraining.rawValue,
    text: "stopping without waiting: transfers in flight get 5 s to complete")
}

extension Note {
  /// Creates a note from one of the engine's notes.
  init(_ note: MergeNote) {
    self.init(code: note.code.rawValue, text: note.textInCommandTerms)
  }
}

/// Writes lines to standard error, each a sentence or a JSON object.
///
/// For the systemd journal, each line begins with its priority, as described in sd-daemon(3).
struct Messages: Sendable {
  /// The priority of a line; raw values are those in syslog(3).
  private enum Priority: Int {
    case error = 3
    case notice = 5
    case information = 6
    case debug = 7
  }

  /// The format of the lines.
  let format: OutputFormat
  /// True if the lines go to the systemd journal.
  let isForJournal: Bool
  private let verbosity: Verbosity
  private let colors: Colors
  /// The column at which lines wrap; nil if lines do not wrap.
  private let columnCount: Int?
  private let secondsSince1970: @Sendable () -> Int64
  private let write: @Sendable (_ text: String, _ isDispensable: Bool) -> Void

  /// Returns the format of lines on standard error for the requested report and progress formats.
  ///
  /// With progress in JSON, every line on standard error is JSON.
  static func format(output: OutputFormat, progress: ProgressMode) -> OutputFormat {
    progress == .json ? .json : output
  }

  /// Creates messages in the format that a command line requests, even if the rest of the command
  /// line is invalid.
  init(askedIn arguments: [String]) {
    self.init(
      format: Self.format(askedIn: arguments),
      colors: ProcessEnvironment.colors(
        Self.color(askedIn: arguments), isTerminal: Terminal.isStandardError),
      columnCount: Terminal.errorColumnCount)
  }

  /// Creates messages with the output options of a verb.
  init(_ verb: any Verb) {
    self.init(
      format: verb.messageFormat, verbosity: verb.outputOptions.verbosity,
      colors: ProcessEnvironment.colors(
        verb.outputOptions.color, isTerminal: Terminal.isStandardError),
      columnCount: Terminal.errorColumnCount)
  }

  /// Returns the color mode that a command line requests, even if the rest of the command line is
  /// invalid.
  static func color(askedIn arguments: [String]) -> ColorMode {
    let words = arguments.prefix { $0 != "--" }
    let last = words.indices.reversed().lazy.compactMap { index -> ColorMode? in
      let parts = words[index].split(separator: "=", maxSplits: 1)
      guard parts.first == "--color" else { return nil }
      return ColorMode(
        rawValue: parts.count == 2
          ? String(parts[1]) : index + 1 < words.endIndex ? words[index + 1] : "")
    }.first
    return last ?? .auto
  }

  /// Returns the format that a command line requests, even if the rest of the command line is
  /// invalid.
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

  /// Creates messages in `format` that are passed to `write`, along with a flag that is true for
  /// lines that may be dropped if no process reads them.
  ///
  /// - `isForJournal`: true if the lines go to the systemd journal.
  init(
    format: OutputFormat, verbosity: Verbosity = .normal, colors: Colors = .none,
    columnCount: Int? = nil, isForJournal: Bool = ProcessEnvironment.standardErrorIsJournal,
    secondsSince1970: @autoclosure @escaping @Sendable () -> Int64 =
      ThisSystem
      .secondsSince1970(),
    write: @escaping @Sendable (String, Bool) -> Void = {
      StandardStream.error.write($0, isDispensable: $1)
    }
  ) {
    self.format = format
    self.verbosity = verbosity
    self.colors = colors
    self.columnCount = columnCount
    self.isForJournal = isForJournal
    self.secondsSince1970 = secondsSince1970
    self.write = write
  }

  private func message(_ document: some Encodable) -> String {
    JSONText.message(document, seconds: secondsSince1970())
  }

  /// Writes whole lines, each with its priority if they go to the systemd journal.
  private func write(_ priority: Priority, _ text: String) {
    let isDispensable = priority != .error
    guard isForJournal else { return write(text, isDispensable) }
    let prefix = "<\(priority.rawValue)>"
    write(
      text.split(separator: "\n").map { "\(prefix)\($0)\n" }.joined(), isDispensable)
  }

  /// Prints the reason for the command's failure.
  func failure(_ failure: Failure) {
    switch format {
    case .text:
      let lines =
        wrapped("thin-merge: error: \(TerminalText.forPeople(failure.message))")
        + (failure.hint.map { TerminalText.lines(ofHint: $0) } ?? []).flatMap(laidOut)
      write(.error, lines.map { "\(colored($0))\n" }.joined())
    case .json:
      let document = FailureDocument(
        type: "error", code: failure.code, message: failure.message,
        hint: failure.hint, exitStatus: failure.exitStatus.rawValue)
      write(.error, message(document))
    }
  }

  /// Returns a line of a hint, wrapped unless it is a command.
  private func laidOut(_ line: String) -> [String] { line.hasPrefix("  ") ? [line] : wrapped(line) }

  private func wrapped(_ line: String) -> [String] {
    columnCount.map { TerminalText.wrapped(line, at: $0, indent: 2) } ?? [line]
  }

  /// Returns a line with its opening words in color if the line begins a message.
  private func colored(_ line: String) -> String {
    let starts: [(String, (String) -> String)] = [
      ("thin-merge: error:", colors.error), ("thin-merge: note:", colors.note),
      ("hint:", colors.hint),
    ]
    guard let (start, color) = starts.first(where: { line.hasPrefix($0.0) }) else { return line }
    return color(start) + line.dropFirst(start.count)
  }

  /// Prints a note, unless the command is quiet.
  func note(_ note: Note) {
    guard verbosity > .quiet else { return }
    switch format {
    case .text:
      let lines = wrapped("thin-merge: note: \(TerminalText.forPeople(note.text))")
      write(.notice, lines.map { "\(colored($0))\n" }.joined())
    case .json:
      write(
        .notice,
        message(NoteDocument(type: "note", code: note.code, message: note.text)))
    }
  }

  /// Prints a step of the run; prints nothing in JSON format, which is for programs.
  func trace(_ step: String) {
    guard format == .text else { return }
    write(.debug, "thin-merge: debug: \(TerminalText.escaped(step))\n")
  }

  /// Prints the verb's progress; the line is dropped if no process reads standard error.
  func progress(_ line: ProgressLine, as format: OutputFormat) {
    switch format {
    case .text: write(.information, "thin-merge: \(line.detailedSentence)\n")
    case .json: write(.information, message(ProgressDocument(line)))
    }
  }

  /// Writes part of a display for people unchanged; the text is dropped if no process reads
  /// standard error.
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
