internal import MergeEngine

/// A dry run, which reports a plan instead of merging.
struct DryRun {
  let source: ReportedSource
  let originPath: String
  /// The command that performs the merge.
  let command: ShellCommand
  let style: ReportStyle

  /// Plans the merge, and returns the plan with any failure that would keep the merge from
  /// starting.
  ///
  /// - `consent`: checks that consent was given or can be asked for, as a merge does first.
  /// - Throws: The error that the merge would throw, if it cannot be planned.
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
  /// Creates the outcome that reports a plan.
  ///
  /// - `command`: the command that carries out the plan; nil if no origin is known.
  /// - `refusal`: a reason to refuse the merge that is not in the plan.
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
