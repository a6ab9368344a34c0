internal import MergeEngine

/// The plan of a merge, as text for people.
struct PlanText {
  var report: PlanReport
  var source: ReportedSource
  var originPath: String?
  /// The command that carries out the plan; nil if no origin is known.
  var mergeCommand: ShellCommand?
  /// The reason that the merge would be refused; nil if there is none.
  var refusal: Failure?
  /// The characters used to draw the figures.
  var glyphs = Glyphs.ascii
  var columnCount = Terminal.reportColumnCountFallback
  var style = ReportStyle.plain

  var text: String {
    var text = ReportText(heading, style)
    Self.addExtent(report, to: &text)
    Self.addSource(report, source, to: &text)
    Self.addJournal(report, to: &text)
    Self.addEarlierRuns(report, to: &text)
    if source.name != nil { text.addDetail("dev id", "\(source.deviceID)") }
    text.addDetail("fingerprint", report.fingerprint)
    LayoutText(layout: report.layout, glyphs: glyphs, columnCount: columnCount).add(to: &text)
    if let refusal {
      text.addNext("Nothing was written to the origin. A merge would be refused:")
      text.addNext("  \(refusal.message)")
      if let hint = refusal.hint { text.add(hint: hint) }
    } else if let mergeCommand {
      text.addNext("Nothing was written to the origin. \(whatIsNext)", mergeCommand)
    } else {
      text.addNext("Nothing was written to any origin. For a complete plan, add --origin.")
    }
    return text.text
  }

  private var heading: String {
    let place = originPath.map { " into \($0)" } ?? ""
    guard report.isFinished, !report.isMergedAgain else {
      return "Plan: merge \(source.shortName)\(place)"
    }
    let merged = "Plan: \(source.shortName) is already merged\(place)"
    return report.handover == nil
      ? "\(merged); nothing would be written" : "\(merged); the steps in LVM remain"
  }

  /// The sentence that introduces the command, which depends on what earlier runs have recorded.
  private var whatIsNext: String {
    guard report.isFinished else {
      return report.recordedByteCount > 0 ? "To continue:" : "To merge:"
    }
    if let handover = report.handover {
      return report.isMergedAgain
        ? "This command compares everything again and writes what differs; then "
          + "\(Self.willDo(handover)):"
        : "To write what differs first, add --again. With this command, \(Self.willDo(handover)):"
    }
    if report.isMergedAgain {
      return "This merge is finished. To compare everything again and write what differs:"
    }
    let compared =
      report.comparedByteCount > 0
      ? "the source and the origin with what was merged," : "nothing"
    return
      "To compare everything and write what differs, add --again. This command compares "
      + "\(compared) and writes nothing:"
  }

  /// Adds the amount of data to merge, and a comparison of where the thin device and the origin
  /// end.
  static func addExtent(_ plan: PlanReport, to text: inout ReportText) {
    let label = plan.isMergedAgain ? "to compare" : plan.isFinished ? "merged" : "to merge"
    text.add(label, "\(plan.byteCount.formattedByteCount), \(blocks(plan))")
    if plan.thinByteCountIsAssumed, plan.originByteCount != nil {
      text.add("thin size", "\(plan.thinByteCount.formattedByteCount), assumed")
    } else if plan.originByteCount != nil {
      text.add("thin size", plan.thinByteCount.formattedByteCount)
    }
    if let origin = plan.originByteCount {
      let grown = plan.grownOriginByteCount.map { ", to be extended to \($0.formattedByteCount)" }
      text.add("origin size", origin.formattedByteCount + (grown ?? ""))
    }
    // A finished merge is only compared, and the origin can stay read-only for a comparison.
    if let name = plan.protectedOriginName, !plan.isFinished || plan.isMergedAgain {
      text.add(
        "write-protected",
        "\(name), by LVM, as an external origin; the merge makes it writable while it runs")
    }
    addPastEnd(plan, to: &text)
    if let handover = plan.handover { text.add("afterwards", willDo(handover)) }
  }

  /// Adds the blocks and bytes that are skipped because they are past the end.
  static func addPastEnd(_ plan: PlanReport, to text: inout ReportText) {
    if plan.pastEndBlockCount > 0 {
      text.add("past the end", "\(Amount.text(plan.pastEndBlockCount, "mapped block")) skipped")
    }
    if plan.clippedByteCount > 0 {
      text.add(
        "clipped",
        "\(plan.clippedByteCount.formattedByteCount) of the block that crosses the end")
    }
  }

  /// Returns the LVM steps that follow the merge, as part of a statement.
  static func willDo(_ handover: VolumeHandover, thinVolumeIsThere: Bool = true) -> String {
    let (thin, origin) = (handover.thinFullName, handover.originFullName)
    let removal = thinVolumeIsThere ? "everything is compared, \(thin) is removed, and " : ""
    let rename = handover.takesName ? ", renamed to \(thin)" : ""
    return "\(removal)\(origin) becomes an ordinary volume\(rename)"
  }

  /// Returns the LVM steps that follow the merge, as part of a question.
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

  /// Adds the source of the merge, and the mappings as a detail.
  static func addSource(
    _ plan: PlanReport, _ source: ReportedSource, to text: inout ReportText
  ) {
    text.add("from", source.dataPath)
    if let snapshotID = plan.snapshotID {
      text.add("snapshot", "dev \(snapshotID), taken of the thin device for this merge")
    } else if plan.makesSnapshot {
      text.add(
        "snapshot", "taken of the thin device when the merge begins, and merged in its place")
    }
    if plan.isWrittenSinceSnapshot {
      text.add("not merged", "writes to the thin device after the snapshot")
    }
    if plan.makesSnapshot || plan.snapshotID != nil, plan.thinDeviceIsOpen {
      text.add(
        "in use", "the thin device is open; writes to it after the snapshot are not merged")
    }
    let tree = plan.heldRoot.map { "metadata snapshot at block \($0)" } ?? "live mappings"
    text.addDetail(
      "metadata", "\(source.metadataPath), \(tree), transaction \(plan.transactionID)")
    if plan.otherDeviceCount > 0 {
      text.add("other devices", "\(Amount.text(plan.otherDeviceCount, "thin device")) in this pool")
    }
  }

  /// Adds the journal's path and the maximum size that the journal may reach.
  static func addJournal(_ plan: PlanReport, to text: inout ReportText) {
    let path = plan.journalPath.map { "\($0), " } ?? ""
    text.add("journal", "\(path)up to \(plan.journalByteCountMax.formattedByteCount)")
  }

  /// Adds how the records of earlier runs are used, and which journals are abandoned.
  private static func addEarlierRuns(_ plan: PlanReport, to text: inout ReportText) {
    if plan.recordedByteCount > 0 {
      let recorded = "\(plan.recordedByteCount.formattedByteCount) already merged"
      let writes = !plan.isFinished || plan.isMergedAgain
      let compared = "to be compared" + (writes ? ", and rewritten where it differs" : "")
      text.add(
        "earlier runs",
        "\(recorded); \(plan.comparedByteCount > 0 ? compared : "not to be compared")")
    }
    for path in plan.journalsPutAside { text.add("to set aside", "the journal \(path)") }
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
