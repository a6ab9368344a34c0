internal import MergeEngine

/// The question that is asked before a block device is written to.
struct Confirmation: Sendable {
  /// What is read.
  let source: ReportedSource
  /// What is written to, as it was typed.
  let originPath: String

  /// The question that writing to `originPath` needs; nil if it needs none.
  ///
  /// Without anybody to ask, and without `--yes`, that is a mistake of the command line.
  static func needed(
    _ source: ReportedSource, originPath: String, yes: Bool, format: OutputFormat
  ) throws(Failure) -> Confirmation? {
    guard !yes, Terminal.isBlockDevice(originPath) else { return nil }
    guard format == .text, Terminal.isStandardInput else {
      throw .usage(
        "\(originPath) is a block device and nobody can be asked: --yes is required to write to it",
        hint: "see what would be written with 'thin-merge plan', then give --yes")
    }
    return Confirmation(source: source, originPath: originPath)
  }

  /// Asks on the terminal, and waits for the answer.
  func ask(_ plan: PlanReport) -> Bool {
    StandardStream.error.write(question(plan))
    let answer = Terminal.readLine(unless: { Signals.interruption.isRequested })
    if answer == nil { StandardStream.error.write("\n") }
    return Self.isConsent(answer)
  }

  /// A short plan and the question.
  func question(_ plan: PlanReport) -> String {
    var text = ReportText("About to merge \(source.thinDevice) onto \(originPath).")
    PlanText.addExtent(plan, to: &text)
    PlanText.addSource(plan, source, to: &text)
    PlanText.addJournal(plan, to: &text)
    return text.text + "\n\(whatIsAsked(plan)) onto \(originPath)? [y/N] "
  }

  private func whatIsAsked(_ plan: PlanReport) -> String {
    guard !plan.isFinished else {
      return "This merge is finished. Compare all of it again and write what differs"
    }
    let left = BinaryText.bytes(plan.byteCount - min(plan.recordedByteCount, plan.byteCount))
    return plan.recordedByteCount == 0
      ? "Write \(left)" : "Write the \(left) that are left, and what differs,"
  }

  /// Whether an answer says yes; no answer says no.
  static func isConsent(_ answer: String?) -> Bool {
    ["y", "yes"].contains(answer?.lowercased().filter { !$0.isWhitespace })
  }
}
