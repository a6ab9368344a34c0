internal import MergeEngine

/// The last step of a merge of LVM volumes, after all data is merged: the thin volume is replaced
/// by its origin.
struct Finishing {
  let journalPath: String
  let takesName: Bool
  /// True if the steps are to be listed but not carried out.
  let isDry: Bool

  /// Asks for consent, hands over, and reports the merge's status afterward.
  func outcome(
    consent: ConsentArguments, style: ReportStyle, _ messageFormat: OutputFormat,
    in session: Session
  ) throws -> Outcome {
    let merger = session.merger()
    let before = try merger.status(journalPath: journalPath)
    var failure: Failure?
    if isDry {
      return try rehearsal(before, yes: consent.yes, style: style, messageFormat, merger)
    }
    if !before.isHandedOver || takesName {
      if !consent.yes { try checkCanAsk(before, messageFormat) }
      var isAgreed = true
      do throws(MergeError) {
        if !consent.yes {
          isAgreed = Confirmation.isGiven(
            Self.question(
              try merger.plannedHandover(journalPath: journalPath, takesName: takesName)))
        }
        if isAgreed {
          try session.merger(loops: consent.loops)
            .handOver(journalPath: journalPath, takesName: takesName)
        }
      } catch {
        failure = Failure(error)
      }
      if !isAgreed {
        throw Self.notAgreed(before.originName ?? before.originPath)
      }
    }
    let status = try merger.status(journalPath: journalPath)
    return Outcome(
      report: style.format == .json
        ? JSONText.report(StatusDocument(status)) : StatusText(report: status, style: style).text,
      failure: failure, exitStatus: failure?.exitStatus ?? .done)
  }

  private func rehearsal(
    _ status: StatusReport, yes: Bool, style: ReportStyle, _ messageFormat: OutputFormat,
    _ merger: Merger
  ) throws -> Outcome {
    var text = StatusText(report: status, style: style).text
    var failure: Failure?
    if !yes, !status.isHandedOver {
      do throws(Failure) {
        try checkCanAsk(status, messageFormat)
      } catch {
        failure = error
      }
    }
    do {
      let planned = try merger.rehearsedHandover(journalPath: journalPath, takesName: takesName)
      if !status.isHandedOver {
        let steps = PlanText.willDo(planned.handover, thinVolumeIsThere: planned.thinVolumeIsThere)
        text += "\nWithout --dry-run \(steps).\n"
      }
    } catch {
      failure = failure ?? Failure(error)
    }
    return Outcome(
      report: style.format == .json ? JSONText.report(StatusDocument(status)) : text,
      failure: failure,
      exitStatus: failure?.exitStatus ?? .done)
  }

  private func checkCanAsk(
    _ status: StatusReport, _ messageFormat: OutputFormat
  ) throws(Failure) {
    guard messageFormat == .text, Terminal.isStandardInput else {
      throw .usage(
        "\(ReportedSource(status).thinDevice) is about to be removed, and nobody can be asked to confirm; add --yes"
      )
    }
  }

  /// Returns the question to ask before the handover, which names every step.
  static func question(_ planned: PlannedHandover) -> String {
    let steps = PlanText.isAsked(planned.handover, thinVolumeIsThere: planned.thinVolumeIsThere)
    return TerminalText.forPeople("\(steps.prefix(1).uppercased())\(steps.dropFirst())? [y/N] ")
  }

  /// Returns the failure to report if the user answers no; `originName` is the volume that would
  /// have become an ordinary one.
  static func notAgreed(_ originName: String) -> Failure {
    Failure(
      .notAgreed, .refused,
      message: "not finished in LVM, \(originName): you did not confirm; nothing was changed",
      hints: ["run the same command again and answer y, or add --yes"])
  }
}
