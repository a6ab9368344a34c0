internal import MergeEngine

/// The question asked before writing to a block device or to a target that was not typed, and
/// before a finished merge is merged again.
struct Confirmation: Sendable {
  /// The source of the merge.
  let source: ReportedSource
  /// The path of the target, as typed or as recorded in the journal.
  let originPath: String

  /// The option that causes a finished merge to be written again; nil if no such option was given.
  var rewriting: Rewriting?

  /// The options that cause a finished merge to be written again.
  enum Rewriting: String {
    case again = "--again"
    case restart = "--restart"
  }

  /// Where the target's path came from.
  enum Target {
    case typed
    case recorded(journalPath: String)
  }

  /// Returns the question to ask before writing to `originPath`; nil if there is no need to ask.
  ///
  /// - Throws: A usage failure if a question is needed but `--yes` is missing and there is no one
  ///   to ask; a refusal if `--yes` is given but the journal that names the target is not trusted.
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
          "only the journal names \(originPath), and nobody can be asked to confirm; add --yes or --origin",
          hint: "show the devices that the journal names with".above(
            ShellCommand.status(journalPath: journalPath).text) + "\n"
            + "if that is right, run".above(
              ShellCommand.resume(
                [journalPath]
                  + (isTrusted(journalPath, originPath) ? ["--yes"] : ["--origin", originPath])
              ).text))
      }
      if let rewriting, !isDevice {
        throw .usage(
          "\(rewriting.rawValue) may overwrite later writes to \(originPath), and nobody can be asked "
            + "to confirm; add --yes",
          hint:
            "run the same command without \(rewriting.rawValue) to see what differs, then add --yes"
        )
      }
      throw .usage(
        "\(originPath) is a block device, and nobody can be asked to confirm; add --yes to write to it",
        hint: "check what would be written, then add --yes".above(
          (ShellCommand.given("resume", adding: "--dry-run")
            ?? .merged(adding: "--dry-run")).text))
    }
    return Confirmation(source: source, originPath: originPath, rewriting: rewriting)
  }

  /// Returns true if a journal is trusted to name the target with `--yes`, which requires that the
  /// journal is in a place where journals are created.
  private static func isTrusted(_ journalPath: String, _ originPath: String) -> Bool {
    let folder = FileSystem.resolved(FileSystem.folder(of: journalPath))
    // A missing target is refused later, with a message of its own.
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
      message:
        "cannot trust the origin in the journal, \(journalPath): the journal is neither next to "
        + "\(originPath) nor in \(ProcessEnvironment.stateFolder)",
      hints: [
        place.map {
          "if that origin is right, run".above(
            ShellCommand.resume([journalPath, "--origin", $0]).text)
        } ?? "nothing is at that path now; give the origin's path with --origin"
      ])
  }

  /// Returns the target's current path, which is its old path, or a path next to the journal if
  /// both were moved; nil if the target is in neither place.
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
    // A question that was never displayed cannot be answered.
    guard StandardStream.error.waitUntilWritten(while: { _ in !isStopping() }) != .notRead else {
      return false
    }
    let answer = Terminal.readLine(unless: isStopping)
    if answer == nil { StandardStream.error.write("\n") }
    return isConsent(answer)
  }

  /// Returns a short plan followed by the question.
  func question(_ plan: PlanReport) -> String {
    var text = ReportText("About to merge \(source.thinDevice) into \(originPath).")
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
    return "\(whatIsWritten(plan)) to \(TerminalText.forPeople(originPath))"
      + (handover.map { ", then \($0)" } ?? "")
  }

  private func whatIsWritten(_ plan: PlanReport) -> String {
    if rewriting == .restart {
      return "This merge is finished. Write all \(plan.byteCount.formattedByteCount) again"
    }
    guard !plan.isFinished else {
      return "This merge is finished. Compare everything again and write what differs"
    }
    let left = (plan.byteCount - min(plan.recordedByteCount, plan.byteCount)).formattedByteCount
    return plan.recordedByteCount == 0
      ? "Write \(left)" : "Write the remaining \(left), and whatever differs,"
  }

  /// Returns true if the answer is yes; a missing answer counts as no.
  static func isConsent(_ answer: String?) -> Bool {
    ["y", "yes"].contains(answer?.lowercased().filter { !$0.isWhitespace })
  }
}
