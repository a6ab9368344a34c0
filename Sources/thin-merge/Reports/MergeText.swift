internal import MergeEngine

/// The result of a merge, as text for people.
struct MergeText {
  var report: MergeReport
  var source: ReportedSource
  var originPath: String
  /// The command that compares the origin with the merged data.
  var verifyCommand: ShellCommand
  /// The command that merges the thin device again in its current state; nil if the device's name
  /// is unknown.
  var againCommand: ShellCommand?
  var style = ReportStyle.plain

  var text: String {
    if let earlier = report.earlier { return text(of: earlier) }
    var text = ReportText(heading, style)
    addTransfers(to: &text)
    addEarlierRuns(to: &text)
    if report.canBeResumed {
      text.addDetail("checksums", "CRC-32C of every transfer, in the journal \(report.journalPath)")
    }
    text.add(plan.remnants, besides: plan.deviceID)
    addEnds(to: &text)
    text.add("unreadable", ranges: report.unreadable, of: report.unreadable.byteCount)
    addVerification(to: &text)
    addNext(to: &text)
    return text.text
  }

  /// Returns the report for a merge that an earlier run finished.
  private func text(of earlier: MergeReport.Earlier) -> String {
    let merge = "\(source.thinDevice) into \(originPath)"
    var text = ReportText(
      earlier.isCompared
        ? "Already merged, and still identical: \(merge)."
        : "Already merged, not compared: \(merge).",
      style)
    text.add("finished", StatusText.date(earlier.finishedSeconds))
    text.add("merged", "\(plan.byteCount.formattedByteCount), \(PlanText.blocks(plan))")
    PlanText.addSource(plan, source, to: &text)
    if earlier.isCompared {
      text.add(
        "compared",
        "\(report.recheckedByteCount.formattedByteCount) in \(Amount.time(report.duration)): no "
          + "difference")
    }
    text.add("journal", report.journalPath)
    text.add(plan.remnants, besides: plan.deviceID)
    addEnds(to: &text)
    guard earlier.isCompared else {
      text.addNext(
        "Nothing was compared. Keep the thin device until you have run the same command without "
          + "--no-compare.")
      return text.text
    }
    if case .done(let handover) = report.handover {
      addHandover(handover, to: &text)
      return text.text
    }
    guard !earlier.sourceMayChange else {
      text.addNext(
        "The thin device is active and writable. Keep it until you have compared it while nothing uses it."
      )
      return text.text
    }
    addNotNeeded(to: &text)
    return text.text
  }

  /// Adds the completed handover in LVM, after which there is nothing left to do.
  private func addHandover(_ handover: VolumeHandover, to text: inout ReportText) {
    text.addNext(StatusText.done(handover))
  }

  private func addNotNeeded(to text: inout ReportText) {
    // The error explains why the thin device is still needed.
    if case .stopped = report.handover { return }
    // If a metadata repair lost the thin device's mappings, its blocks may still be recoverable.
    guard plan.mappedBlockCount > 0 || !plan.remnants.isEmpty else { return addRelease(to: &text) }
    let leavesOut = plan.pastEndBlockCount > 0 || plan.clippedByteCount > 0
    text.addNext(
      ReportText.whatIsLeft(
        in: report.thinDevice, leavesOut: leavesOut, remnants: plan.remnants))
    addAgain(to: &text)
    if !leavesOut, plan.remnants.isEmpty { addProposal(isCompared: true, to: &text) }
    addRelease(to: &text)
  }

  /// Adds the command that merges any writes made to the thin device after the merge.
  private func addAgain(to text: inout ReportText) {
    guard report.thinDevice == .writtenSince, let againCommand else { return }
    text.addNext(ReportText.mergesAsItIs, againCommand)
  }

  /// Adds the next steps for LVM users.
  ///
  /// - `isCompared`: true if the origin is known to contain all merged data.
  private func addProposal(isCompared: Bool, to text: inout ReportText) {
    guard case .proposed(let handover) = report.handover, report.thinDevice == .asMerged,
      report.unreadable.isEmpty
    else { return }
    text.addNext(
      "To compare everything, remove \(handover.thinFullName) and make \(handover.originFullName) an ordinary "
        + "volume:", .resume(journalPath: report.journalPath, finish: true))
    guard isCompared else { return }
    text.addNext(
      "Or by hand, when nothing uses \(handover.thinFullName):", commands: handover.commands)
  }

  private var plan: PlanReport { report.plan }

  private var isFinished: Bool { report.state == .finished }

  private var heading: String {
    guard isFinished else {
      let way = report.canBeResumed ? "can be resumed" : "cannot be resumed"
      return "Merge of \(source.thinDevice) into \(originPath): stopped, \(way)"
    }
    guard plan.byteCount > 0 else {
      let which = plan.mappedBlockCount == 0 ? "of its own" : "that begins before the end"
      return "Nothing was merged: \(source.thinDevice) has no block \(which)."
    }
    return "Merged \(source.thinDevice) into \(originPath)."
  }

  private func addTransfers(to text: inout ReportText) {
    text.add(
      isFinished ? "merged" : "to merge",
      "\(plan.byteCount.formattedByteCount), \(PlanText.blocks(plan))")
    PlanText.addSource(plan, source, to: &text)
    let rate = Amount.rate(report.writtenByteCount, in: report.duration)
    text.add(
      "written",
      report.writtenByteCount.formattedByteCount
        + " in \(Amount.time(report.duration))" + (rate.map { ", \($0)" } ?? ""))
    let share = report.submitDuration.seconds / max(report.duration.seconds, 0.001)
    text.addDetail(
      "submit time",
      "\(Amount.time(report.submitDuration)), \(Int((share * 100).rounded()))% of the time: the "
        + "kernel accepting requests")
  }

  private func addEarlierRuns(to text: inout ReportText) {
    if report.resumedFromByteCount > 0 {
      text.add(
        "earlier runs", "recorded \(report.resumedFromByteCount.formattedByteCount)")
    }
    guard report.recheckedByteCount > 0 else { return }
    let differed =
      report.rewrittenByteCount == 0
      ? "no difference"
      : "\(report.rewrittenByteCount.formattedByteCount) differed and were rewritten"
    text.add("rechecked", "\(report.recheckedByteCount.formattedByteCount) of that: \(differed)")
  }

  private func addEnds(to text: inout ReportText) {
    if isFinished, let grown = plan.grownOriginByteCount {
      text.add("origin size", "extended to \(grown.formattedByteCount)")
    }
    PlanText.addPastEnd(plan, to: &text)
  }

  private func addVerification(to text: inout ReportText) {
    guard let verification = report.verification else { return }
    let compared = verification.comparedByteCount.formattedByteCount
    let found =
      verification.differingByteCount == 0
      ? "no difference" : "\(verification.differingByteCount.formattedByteCount) differ"
    text.add("verified", "\(compared) read back: \(found)")
    VerifyText.addRanges(verification, to: &text)
  }

  private func addNext(to text: inout ReportText) {
    if case .done(let handover) = report.handover { return addHandover(handover, to: &text) }
    guard isFinished else {
      // The error contains the command to resume with, and anything that must be fixed first.
      text.addNext("The origin may be partially merged. Keep the thin device.")
      for note in report.cleanupFailures {
        text.addNext("Not undone: \(note.textInCommandTerms).")
      }
      return
    }
    switch report.verification.map({ ExitStatus($0) }) ?? .done {
    case .done where report.verification != nil || plan.byteCount == 0:
      addNotNeeded(to: &text)
    case .done:
      let warnings = [
        ReportText.warning(of: report.thinDevice), ReportText.warning(of: plan.remnants),
      ].compactMap { $0 }
      for warning in warnings { text.addNext(warning) }
      if !warnings.isEmpty {
        text.addNext("To compare the origin with the merged data:", verifyCommand)
        addAgain(to: &text)
      } else {
        text.addNext("Keep the thin device until you have verified the origin:", verifyCommand)
        addProposal(isCompared: false, to: &text)
      }
      addRelease(to: &text)
    case .different:
      text.addNext(
        "Keep the thin device. To compare again and rewrite the differences:",
        .resume(journalPath: report.journalPath, again: true))
    default:
      text.addNext(
        "The comparison is incomplete. Keep the thin device until you have repeated it:",
        verifyCommand)
    }
  }

  private func addRelease(to text: inout ReportText) {
    guard plan.heldRoot != nil, !plan.isOwnMetadataSnapshot else { return }
    text.addNext(
      "If you reserved the metadata snapshot for this merge, release it:",
      commands: ["dmsetup message POOL 0 release_metadata_snap"])
  }
}
