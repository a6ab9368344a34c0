internal import MergeEngine

/// The status of all merges whose journals are known, for people.
struct StatusListText {
  var journals: [JournalListing]
  var style = ReportStyle.plain

  var text: String {
    guard !journals.isEmpty else {
      return
        "No journals of merges are in \(ProcessEnvironment.stateFolder), and no marks there name any.\n"
    }
    var text = ReportText("\(Amount.text(UInt64(journals.count), "merge")).", style)
    for journal in journals {
      guard let status = journal.status else {
        text.add("not read", journal.error?.inCommandTerms.message ?? journal.path)
        continue
      }
      text.add(Self.word(status), Self.line(status))
      text.add("", journal.path)
    }
    text.addNext(
      "More about one: 'thin-merge status' with its journal, or with the name of a volume.")
    return text.text
  }

  /// Returns the status of a merge, in a word or two.
  static func word(_ status: StatusReport) -> String {
    if status.state == .stopped, status.runCount == 0 { return "not begun" }
    return switch status.state {
    case .running: "running"
    case .stopped: "not finished"
    case .finished: "finished"
    case .verified: "verified"
    case .givenUp: "given up"
    }
  }

  private static func line(_ status: StatusReport) -> String {
    let percent = Amount.percent(status.doneByteCount, of: status.totalByteCount)
    return
      "\(ReportedSource(status).thinDevice) onto \(status.originName ?? status.originPath), \(percent)% of "
      + "\(status.totalByteCount.formattedByteCount), last record \(StatusText.date(status.recordedSeconds))"
  }
}
