internal import MergeEngine

/// The output of a dry run, in place of merging.
struct DryRun {
  let source: ReportedSource
  let originPath: String
  /// The command that merges.
  let command: ShellCommand
  let style: ReportStyle

  /// Plans, and ends as the merge would have ended.
  ///
  /// - `consent`: checks for consent, or somebody to ask, as a merge does first.
  /// - Throws: The merge's error, if there is no plan.
  func outcome(
    consent: () throws(Failure) -> Confirmation?, plan: () throws -> PlanReport
  ) throws -> Outcome {
    var failure: Failure?
    do throws(Failure) {
      _ = try consent()
    } catch {
      failure = error
    }
    let report: PlanReport
    do {
      report = try plan()
    } catch {
      throw failure ?? error
    }
    failure = failure ?? report.refusal.map { Failure($0) }
    return Outcome(
      report, source: source, originPath: originPath, command: command, style: style,
      failure: failure)
  }
}

extension Outcome {
  /// Creates the outcome of planning.
  ///
  /// - `command`: the command that carries the plan out; nil without an origin.
  /// - `refusal`: a reason to refuse the merge that the plan does not contain.
  init(
    _ report: PlanReport, source: ReportedSource, originPath: String?, command: ShellCommand?,
    style: ReportStyle, refusal: Failure? = nil, failure: Failure? = nil
  ) {
    let refusal = report.refusal.map { Failure($0) } ?? refusal
    let text = PlanText(
      report: report, source: source, originPath: originPath, mergeCommand: command,
      refusal: refusal, glyphs: ProcessEnvironment.glyphs, columnCount: Terminal.reportColumnCount,
      style: style)
    self.init(
      report: style.format == .json
        ? JSONText.report(
          PlanDocument(report, source: source, originPath: originPath, refusal: refusal))
        : text.text,
      failure: failure, exitStatus: failure?.exitStatus ?? .done)
  }
}
