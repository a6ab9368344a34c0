internal import MergeEngine

/// The status of all merges whose journals are known, as text for people.
struct StatusListText {
  var journals: [JournalListing]
  var style = ReportStyle.plain

  var text: String {
    guard !journals.isEmpty else {
      return
        "No merge journals are in \(ProcessEnvironment.stateFolder) or named by a mark there.\n"
    }
    var text = ReportText("\(Amount.text(UInt64(journals.count), "merge"))", style)
    for journal in journals {
      guard let status = journal.status else {
        text.add("unreadable", journal.error?.inCommandTerms.message ?? journal.path)
        continue
      }
      text.add(Self.word(status), Self.line(status))
      text.add("", journal.path)
    }
    text.addNext(
      "To show one merge, give its journal or the name of its volume:",
      .status(journalPath: "JOURNAL"))
    return text.text
  }

  /// Returns a merge's status in one or two words.
  static func word(_ status: StatusReport) -> String {
    if status.state == .stopped, status.runCount == 0 { return "not started" }
    return switch status.state {
    case .running: "running"
    case .stopped: "unfinished"
    case .finished: "finished"
    case .verified: "verified"
    case .givenUp: "given up"
    }
  }

  private static func line(_ status: StatusReport) -> String {
    let percent = Amount.percent(status.doneByteCount, of: status.totalByteCount)
    let origin = status.originName ?? status.originPath
    return
      "\(ReportedSource(status).shortName) into \(origin), \(percent)% of "
      + "\(status.totalByteCount.formattedByteCount), "
      + "last record \(StatusText.date(status.recordedSeconds))"
  }
}
