internal import MergeEngine

/// The question that is asked before a block device is written to, a target that was not typed, or a finished
/// merge is merged again.
struct Confirmation: Sendable {
  /// What is read.
  let source: ReportedSource
  /// What is written to, as it was typed or as the journal has it.
  let originPath: String

  /// The option by which a finished merge is written again; nil where none is.
  var rewriting: Rewriting?

  /// How a finished merge is written again.
  enum Rewriting: String {
    case again = "--again"
    case restart = "--restart"
  }

  /// How it is known what is written to.
  enum Target {
    case typed
    case recorded(journalPath: String)
  }

  /// The question that writing to `originPath` needs; nil if it needs none.
  ///
  /// Without anybody to ask, and without `--yes`, that is a mistake of the command line.
  static func needed(
    _ source: ReportedSource, originPath: String, target: Target = .typed, yes: Bool,
    rewriting: Rewriting? = nil, format: OutputFormat
  ) throws(Failure) -> Confirmation? {
    let isDevice = Terminal.isBlockDevice(originPath)
    switch target {
    case .typed:
      guard !yes, isDevice || rewriting != nil else { return nil }
    case .recorded(let journalPath):
      guard !yes else {
        try checkPlace(of: journalPath, originPath)
        return nil
      }
    }
    guard format == .text, Terminal.isStandardInput else {
      if case .recorded(let journalPath) = target {
        throw .usage(
          "only the journal names \(originPath) and nobody can be asked: --yes or --origin is required",
          hint: "see what the journal names".above(
            ShellCommand.status(journalPath: journalPath).text) + "\n"
            + "if that is right".above(
              ShellCommand.resume(
                [journalPath]
                  + (isTrusted(journalPath, originPath) ? ["--yes"] : ["--origin", originPath])
              ).text))
      }
      if let rewriting, !isDevice {
        throw .usage(
          "\(rewriting.rawValue) may overwrite what was written to \(originPath) since, and nobody can "
            + "be asked: --yes is required",
          hint:
            "see what differs with the same command without \(rewriting.rawValue), then give --yes")
      }
      throw .usage(
        "\(originPath) is a block device and nobody can be asked: --yes is required to write to it",
        hint: "see what would be written, then give --yes".above(
          (ShellCommand.given("resume", adding: "--dry-run")
            ?? .merged(adding: "--dry-run")).text))
    }
    return Confirmation(source: source, originPath: originPath, rewriting: rewriting)
  }

  /// Whether with `--yes` a journal may name the target, which it may only from where journals are made.
  private static func isTrusted(_ journalPath: String, _ originPath: String) -> Bool {
    let folder = FileSystem.resolved(FileSystem.folder(of: journalPath))
    // A target that is not there now is refused later, in words of its own.
    let target = FileSystem.resolved(originPath).map { FileSystem.folder(of: $0) }
    let places = [
      FileSystem.resolved(ProcessEnvironment.stateFolder),
      target ?? FileSystem.resolved(FileSystem.folder(of: originPath)),
    ]
    return folder != nil && places.contains(folder)
  }

  private static func checkPlace(
    of journalPath: String, _ originPath: String
  ) throws(Failure) {
    guard !isTrusted(journalPath, originPath) else { return }
    let place = place(of: originPath, beside: journalPath)
    throw Failure(
      .targetNotTrusted, .refused,
      message: "cannot take the target from the journal, \(journalPath): it lies neither beside "
        + "\(originPath) nor in \(ProcessEnvironment.stateFolder)",
      hints: [
        place.map {
          "if that target is right".above(
            ShellCommand.resume([journalPath, "--origin", $0]).text)
        } ?? "nothing is at that path now: --origin says where the target is"
      ])
  }

  /// Where the target is now: at its path, or beside the journal, where both were moved; nil where it is at neither.
  private static func place(of originPath: String, beside journalPath: String) -> String? {
    guard FileSystem.resolved(originPath) == nil else { return originPath }
    let suffix = ".thin-merge"
    guard journalPath.hasSuffix(suffix) else { return nil }
    let moved = String(journalPath.dropLast(suffix.count))
    return FileSystem.resolved(moved) == nil ? nil : moved
  }

  /// Asks on the terminal whether the merge may write, and waits for the answer.
  func ask(_ plan: PlanReport) -> Bool { Self.isGiven(question(plan)) }

  /// Asks a question on the terminal, and waits for the answer.
  static func isGiven(_ question: String) -> Bool {
    StandardStream.error.write(question)
    let isStopping = { Signals.interruption.isRequested }
    // Nobody answers what nobody has read.
    guard StandardStream.error.waitUntilWritten(while: { _ in !isStopping() }) != .notRead else {
      return false
    }
    let answer = Terminal.readLine(unless: isStopping)
    if answer == nil { StandardStream.error.write("\n") }
    return isConsent(answer)
  }

  /// A short plan and the question.
  func question(_ plan: PlanReport) -> String {
    var text = ReportText("About to merge \(source.thinDevice) onto \(originPath).")
    PlanText.addExtent(plan, to: &text)
    PlanText.addSource(plan, source, to: &text)
    PlanText.addJournal(plan, to: &text)
    text.add(plan.remnants, besides: plan.deviceID)
    return text.text + "\n\(whatIsAsked(plan))? [y/N] "
  }

  private func whatIsAsked(_ plan: PlanReport) -> String {
    let handover = plan.handover.map { TerminalText.forPeople(PlanText.isAsked($0)) }
    if let handover, plan.isFinished, !plan.isMergedAgain {
      return "This merge is finished. \(handover.prefix(1).uppercased())\(handover.dropFirst())"
    }
    return "\(whatIsWritten(plan)) onto \(TerminalText.forPeople(originPath))"
      + (handover.map { ", then \($0)" } ?? "")
  }

  private func whatIsWritten(_ plan: PlanReport) -> String {
    if rewriting == .restart {
      return "This merge is finished. Write all \(plan.byteCount.formattedByteCount) of it again"
    }
    guard !plan.isFinished else {
      return "This merge is finished. Compare all of it again and write what differs"
    }
    let left = (plan.byteCount - min(plan.recordedByteCount, plan.byteCount)).formattedByteCount
    return plan.recordedByteCount == 0
      ? "Write \(left)" : "Write the \(left) that are left, and what differs,"
  }

  /// Whether an answer says yes; no answer says no.
  static func isConsent(_ answer: String?) -> Bool {
    ["y", "yes"].contains(answer?.lowercased().filter { !$0.isWhitespace })
  }
}
