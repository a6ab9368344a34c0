internal import MergeEngine

/// What is left of a merge once all is merged: in LVM the origin takes the thin volume's place.
struct Finishing {
  let journalPath: String
  let takesName: Bool
  /// Whether it is only said what would be done.
  let isDry: Bool

  /// Asks, and does it; says how far the merge is then.
  func outcome(
    consent: ConsentArguments, format: OutputFormat, _ messageFormat: OutputFormat,
    in session: Session
  ) throws -> Outcome {
    let merger = session.merger()
    let before = try merger.status(journalPath: journalPath)
    var failure: Failure?
    if isDry {
      return try rehearsal(before, yes: consent.yes, format: format, messageFormat, merger)
    }
    if !before.isHandedOver || takesName {
      if !consent.yes { try ask(before, messageFormat) }
      do {
        _ = try session.merger(loops: consent.loops)
          .handOver(journalPath: journalPath, takesName: takesName)
      } catch {
        failure = Failure(error)
      }
    }
    let status = try merger.status(journalPath: journalPath)
    return Outcome(
      report: format == .json
        ? JSONText.report(StatusDocument(status)) : StatusText(report: status).text,
      failure: failure, exitStatus: failure?.exitStatus ?? .done)
  }

  private func rehearsal(
    _ status: StatusReport, yes: Bool, format: OutputFormat, _ messageFormat: OutputFormat,
    _ merger: Merger
  ) throws -> Outcome {
    var text = StatusText(report: status).text
    var failure: Failure?
    if !yes, !status.isHandedOver {
      do throws(Failure) {
        try checkCanAsk(status, messageFormat)
      } catch {
        failure = error
      }
    }
    do {
      let handover = try merger.plannedHandover(journalPath: journalPath, takesName: takesName)
      if !status.isHandedOver {
        text += "\nWithout --dry-run \(PlanText.willDo(handover)).\n"
      }
    } catch {
      failure = failure ?? Failure(error)
    }
    return Outcome(
      report: format == .json ? JSONText.report(StatusDocument(status)) : text, failure: failure,
      exitStatus: failure?.exitStatus ?? .done)
  }

  private func checkCanAsk(
    _ status: StatusReport, _ messageFormat: OutputFormat
  ) throws(Failure) {
    guard messageFormat == .text, Terminal.isStandardInput else {
      throw .usage(
        "\(ReportedSource(status).thinDevice) is about to be removed and nobody can be asked: --yes is required"
      )
    }
  }

  private func ask(_ status: StatusReport, _ messageFormat: OutputFormat) throws(Failure) {
    let thinDevice = ReportedSource(status).thinDevice
    try checkCanAsk(status, messageFormat)
    let question =
      "Deactivate \(thinDevice), compare it with \(status.originName ?? status.originPath), remove it, and make the "
      + "origin an ordinary volume\(takesName ? " that gets its name" : "")? [y/N] "
    guard Confirmation.isGiven(TerminalText.forPeople(question)) else {
      throw Failure(
        .notAgreed, .refused,
        message:
          "not finished in LVM, \(status.originPath): that was not agreed to; nothing was changed",
        hints: ["give the same command again, and answer with y; or add --yes"])
    }
  }
}
