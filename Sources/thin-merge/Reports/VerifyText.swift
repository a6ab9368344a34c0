internal import MergeEngine

/// The result of a comparison, as text for people.
struct VerifyText {
  var report: VerifyReport
  var source: ReportedSource
  var originPath: String
  /// The journal that the origin was compared with; nil if it was compared with the thin device.
  var journalPath: String?
  /// True if the thin device may have blocks that the comparison skipped on purpose.
  var leavesOut: Bool
  /// The command that restarts the merge from the beginning.
  var restartCommand: ShellCommand?
  /// True if a merge of the thin device onto the origin is recorded.
  var isMerged = true
  /// The command that rewrites the differences, or that merges if no merge is recorded.
  var repairCommand: ShellCommand
  var style = ReportStyle.plain

  var text: String {
    var text = ReportText(heading, style)
    if journalPath == nil {
      text.add("from", source.dataPath)
    } else {
      text.add("merged", "\(source.thinDevice) from \(source.dataPath)")
    }
    text.addDetail("metadata", source.metadataPath)
    let rate = Amount.rate(report.comparedByteCount, in: report.duration)
    text.add(
      "compared",
      report.comparedByteCount.formattedByteCount
        + " in \(Amount.time(report.duration))" + (rate.map { ", \($0)" } ?? ""))
    Self.addRanges(report, to: &text)
    text.add(report.remnants, besides: source.deviceID)
    switch ExitStatus(report) {
    case .done where report.unfinishedMerge != nil:
      addUnfinished(to: &text)
    case .done where journalPath != nil:
      text.addNext(
        "The thin device was not read. Before you remove it, compare it with the origin:",
        .verify(source, originPath: originPath))
    case .done where report.comparedByteCount == 0 && report.remnants.isEmpty:
      break
    case .done:
      text.addNext(
        ReportText.whatIsLeft(
          in: report.thinDevice ?? .unknown, leavesOut: leavesOut, remnants: report.remnants))
      if report.thinDevice == .writtenSince {
        text.addNext(ReportText.mergesAsItIs, repairCommand)
      }
    case .different:
      addRepair(to: &text)
    default:
      text.addNext(
        "Everything that could be compared matches. Keep the thin device until everything is "
          + "compared.")
    }
    return text.text
  }

  private func addRepair(to text: inout ReportText) {
    guard report.unfinishedMerge == nil else { return addUnfinished(to: &text) }
    if let other = report.otherMerge {
      text.addNext(
        "Keep the thin device. The last merge into this origin was of thin device "
          + "\(other.deviceID) of \(ReportedSource(other).place). Merging this one would partly "
          + "overwrite it. To see that merge:",
        .status(journalPath: other.journalPath))
    } else if isMerged {
      text.addNext("Keep the thin device. To compare again and write what differs:", repairCommand)
    } else {
      text.addNext(
        "Keep the thin device. No journal records a merge of it into this origin. To merge it:",
        repairCommand)
    }
  }

  private func addUnfinished(to text: inout ReportText) {
    guard let merge = report.unfinishedMerge else { return }
    if merge.state == .givenUp {
      text.addNext(
        "Keep the thin device. A merge into this origin was given up, and no other merge replaced "
          + "it. To start over:", restartCommand ?? .merged(adding: "--restart"))
    } else if merge.state == .running {
      text.addNext(
        "Keep the thin device. A merge into this origin is running. To see its progress:",
        .status(journalPath: merge.journalPath))
    } else if report.isWrittenSinceMergeStopped, let restartCommand {
      text.addNext(
        "Keep the thin device. Its merge into this origin is unfinished, and it was written to or "
          + "re-created after that merge recorded its mappings. To start over, which loses no data:",
        restartCommand)
    } else {
      text.addNext(
        "Keep the thin device. A merge into this origin is unfinished. To resume it:",
        .resume(journalPath: merge.journalPath))
    }
  }

  private var heading: String {
    let comparedWith = journalPath.map { "the checksums in \($0)" } ?? source.thinDevice
    return switch ExitStatus(report) {
    case .done: "\(originPath) matches \(comparedWith)."
    case .different: "\(originPath) differs from \(comparedWith)."
    default: "\(originPath) could not be fully compared with \(comparedWith)."
    }
  }

  /// Adds the ranges that differ, and the ranges that could not be compared.
  static func addRanges(_ report: VerifyReport, to text: inout ReportText) {
    text.add(
      "differing", ranges: report.differences, of: report.differingByteCount,
      countMax: VerifyReport.differenceCountMax)
    text.add("not compared", ranges: report.unreadable, of: report.unreadable.byteCount)
  }
}
