internal import MergeEngine

/// What comparing found, for people.
struct VerifyText {
  var report: VerifyReport
  var originPath: String
  /// What the origin was compared with, as part of a sentence.
  var comparedWith: String
  /// What writes again what differs.
  var repairCommand: ShellCommand

  var text: String {
    var text = ReportText(heading)
    let rate = Amount.rate(report.comparedByteCount, in: report.duration)
    text.add(
      "compared",
      Amount.exactBytes(report.comparedByteCount)
        + " in \(Amount.time(report.duration))" + (rate.map { ", \($0)" } ?? ""))
    Self.addRanges(report, to: &text)
    switch ExitStatus(report) {
    case .done: break
    case .different:
      text.addNext("Keep the thin device. To compare again and write what differs:", repairCommand)
    default:
      text.addNext("What could be compared is right. Keep the thin device until all is compared.")
    }
    return text.text
  }

  private var heading: String {
    switch ExitStatus(report) {
    case .done: "\(originPath) agrees with \(comparedWith)."
    case .different: "\(originPath) differs from \(comparedWith)."
    default: "\(originPath) could not be compared in full with \(comparedWith)."
    }
  }

  /// The ranges that differ, and those that could not be compared.
  static func addRanges(_ report: VerifyReport, to text: inout ReportText) {
    text.add(
      "differing", ranges: report.differences, of: report.differingByteCount,
      countMax: VerifyReport.differenceCountMax)
    text.add("not compared", ranges: report.unreadable, of: report.unreadable.byteCount)
  }
}
