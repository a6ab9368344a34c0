internal import MergeEngine

/// A plan, for people.
struct PlanText {
  var report: PlanReport
  var source: ReportedSource
  var originPath: String?
  /// The command that carries the plan out; nil without an origin.
  var mergeCommand: ShellCommand?
  /// The reason why a merge would be refused.
  var refusal: Failure?
  /// The characters of the figures.
  var glyphs = Glyphs.ascii
  var columnCount = Terminal.reportColumnCountFallback
  var style = ReportStyle.plain

  var text: String {
    var text = ReportText(heading, style)
    Self.addExtent(report, to: &text)
    Self.addSource(report, source, to: &text)
    Self.addJournal(report, to: &text)
    Self.addEarlierRuns(report, to: &text)
    text.add("fingerprint", report.fingerprint)
    LayoutText(layout: report.layout, glyphs: glyphs, columnCount: columnCount).add(to: &text)
    if let refusal {
      text.addNext("Nothing was written to the origin. As things are, a merge would be refused:")
      text.addNext("  \(refusal.message)")
      if let hint = refusal.hint { text.add(hint: hint) }
    } else if let mergeCommand {
      text.addNext("Nothing was written to the origin. \(whatIsNext)", mergeCommand)
    } else {
      text.addNext("Nothing was written to the origin. With --origin the plan says more.")
    }
    return text.text
  }

  private var heading: String {
    let merge = source.thinDevice + (originPath.map { " onto \($0)" } ?? "")
    guard report.isFinished, !report.isMergedAgain else {
      return "A merge of \(merge) would do this."
    }
    return report.handover == nil
      ? "The merge of \(merge) is finished: nothing would be written."
      : "The merge of \(merge) is finished, but not yet in LVM."
  }

  /// The words before the command, by what earlier runs have recorded.
  private var whatIsNext: String {
    guard report.isFinished else {
      return report.recordedByteCount > 0 ? "To go on:" : "To carry it out:"
    }
    if let handover = report.handover {
      return report.isMergedAgain
        ? "By this command all of it is compared again and what differs is written; then "
          + "\(Self.willDo(handover)):"
        : "By this command \(Self.willDo(handover)); with --again, what differs is written first:"
    }
    if report.isMergedAgain {
      return "This merge is finished. To compare all of it again and write what differs:"
    }
    let compared =
      report.comparedByteCount > 0 ? "source and origin with what was merged" : "nothing"
    return
      "With --again all of it is compared and what differs is written. The same command compares "
      + "\(compared), and writes nothing:"
  }

  /// Adds the amount to write, and how the ends of thin device and origin compare.
  static func addExtent(_ plan: PlanReport, to text: inout ReportText) {
    let label = plan.isMergedAgain ? "to compare" : plan.isFinished ? "merged" : "to write"
    text.add(label, "\(Amount.exactBytes(plan.byteCount)), \(blocks(plan))")
    if plan.thinByteCountIsAssumed, plan.originByteCount != nil {
      text.add(
        "assumed", "thin size not known: taken as \(plan.thinByteCount) bytes")
    } else if plan.originByteCount != nil {
      text.add("thin size", Amount.exactBytes(plan.thinByteCount))
    }
    if let origin = plan.originByteCount {
      let grown = plan.grownOriginByteCount.map { ", extended to \(Amount.exactBytes($0))" }
      text.add("origin size", Amount.exactBytes(origin) + (grown ?? ""))
    }
    // A finished merge is only compared, and the origin stays read-only for that.
    if let name = plan.protectedOriginName, !plan.isFinished || plan.isMergedAgain {
      text.add(
        "write-protected", "\(name), by LVM, as an external origin; that is lifted for the merge")
    }
    addPastEnd(plan, to: &text)
    if let handover = plan.handover { text.add("afterwards", willDo(handover)) }
  }

  /// Adds the blocks and bytes past the end, which are skipped.
  static func addPastEnd(_ plan: PlanReport, to text: inout ReportText) {
    if plan.pastEndBlockCount > 0 {
      text.add("past the end", "\(Amount.text(plan.pastEndBlockCount, "mapped block")) left out")
    }
    if plan.clippedByteCount > 0 {
      text.add("clipped", "\(Amount.exactBytes(plan.clippedByteCount)) of the block across the end")
    }
  }

  /// Returns the steps in LVM after the merge, as a statement.
  static func willDo(_ handover: VolumeHandover, thinVolumeIsThere: Bool = true) -> String {
    let (thin, origin) = (handover.thinFullName, handover.originFullName)
    let removal = thinVolumeIsThere ? "everything is compared, \(thin) is removed, and " : ""
    let rename = handover.takesName ? ", which is renamed to \(thin)" : ""
    return "\(removal)\(origin) \(thinVolumeIsThere ? "" : "is ")made an ordinary volume\(rename)"
  }

  /// Returns the steps in LVM after the merge, as part of a question.
  static func isAsked(_ handover: VolumeHandover, thinVolumeIsThere: Bool = true) -> String {
    let (thin, origin) = (handover.thinFullName, handover.originFullName)
    let ordinary = "make \(origin) an ordinary volume"
    let rename = handover.takesName ? "rename it to \(thin)" : nil
    guard thinVolumeIsThere else {
      return ordinary + (rename.map { " and \($0)" } ?? "")
    }
    return "deactivate \(thin), compare all of it with \(origin), remove \(thin), "
      + (rename.map { "\(ordinary), and \($0)" } ?? "and \(ordinary)")
  }

  /// Adds the source and the mappings that are read.
  static func addSource(
    _ plan: PlanReport, _ source: ReportedSource, to text: inout ReportText
  ) {
    text.add("from", source.dataPath)
    if let snapshotID = plan.snapshotID {
      text.add("snapshot", "dev \(snapshotID), made of the thin device for this merge")
    } else if plan.makesSnapshot {
      text.add("snapshot", "made of the thin device when the merge begins, and merged")
    }
    if plan.isWrittenSinceSnapshot {
      text.add("written since", "the thin device; that is not merged")
    }
    if plan.makesSnapshot || plan.snapshotID != nil, plan.thinDeviceIsOpen {
      text.add(
        "in use", "the thin device is open; what is written to it after the snapshot is not merged")
    }
    let tree = plan.heldRoot.map { "metadata snapshot at block \($0)" } ?? "live mappings"
    text.add(
      "mappings", "\(source.metadataPath), \(tree), transaction \(plan.transactionID)")
    if plan.otherDeviceCount > 0 {
      text.add(
        "other devices", "\(Amount.text(plan.otherDeviceCount, "more thin device")) in this pool")
    }
  }

  /// Adds the journal's path and the largest size that it may reach.
  static func addJournal(_ plan: PlanReport, to text: inout ReportText) {
    let path = plan.journalPath.map { "\($0), " } ?? ""
    text.add("journal", "\(path)at most \(plan.journalByteCountMax.formattedByteCount)")
  }

  /// Adds the use of earlier runs' records, and the journals that are given up.
  private static func addEarlierRuns(_ plan: PlanReport, to text: inout ReportText) {
    if plan.recordedByteCount > 0 {
      let recorded = "\(Amount.exactBytes(plan.recordedByteCount)) recorded"
      let writes = !plan.isFinished || plan.isMergedAgain
      let compared = "read again and compared" + (writes ? "; what differs is written again" : "")
      text.add(
        "earlier runs",
        "\(recorded), \(plan.comparedByteCount > 0 ? compared : "not read again")")
    }
    for path in plan.journalsPutAside { text.add("put aside", "the journal \(path)") }
    text.add(plan.remnants, besides: plan.deviceID)
  }

  /// Returns the number of blocks, their size, and the number of runs.
  static func blocks(_ plan: PlanReport) -> String {
    let count = Amount.text(plan.mappedBlockCount, "mapped block")
    let size = plan.blockByteCount.formattedByteCount
    let all = "\(count) of \(size) in \(Amount.text(plan.runCount, "run"))"
    guard plan.pastEndBlockCount > 0 else { return all }
    return "\(plan.mappedBlockCount - plan.pastEndBlockCount) of \(all)"
  }
}
