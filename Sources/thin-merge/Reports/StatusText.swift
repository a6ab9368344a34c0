internal import FoundationEssentials
internal import MergeEngine

/// The status of a merge, for people.
struct StatusText {
  var report: StatusReport
  var style = ReportStyle.plain

  var text: String {
    var text = ReportText(
      "The merge of \(source.thinDevice) onto \(report.originName ?? report.originPath) \(state).",
      style)
    let done = report.doneByteCount
    let total = report.totalByteCount
    text.add(
      "done",
      "\(done.formattedByteCount) of \(total.formattedByteCount), "
        + "\(Amount.percent(done, of: total))%")
    addLeft(to: &text)
    if let writing, let rate = Amount.rate(done, in: writing) {
      text.add("speed", "\(rate) over \(Amount.time(writing)) of writing")
    }
    text.add(
      "runs",
      report.runCount == 0
        ? "none; the journal was made on \(Self.date(report.begunSeconds))"
        : "\(report.runCount), the first on \(Self.date(report.begunSeconds))")
    text.add("last record", Self.date(report.recordedSeconds))
    text.add("from", source.place)
    text.add("journal", report.journalPath)
    text.add("unreadable", ranges: report.unreadable, of: report.unreadable.byteCount)
    addNext(to: &text)
    return text.text
  }

  private var source: ReportedSource { ReportedSource(report) }

  /// The time spent writing; nil below 2 s, for which a journal's whole seconds are too coarse.
  private var writing: Duration? {
    report.writingSeconds < 2 ? nil : .seconds(report.writingSeconds)
  }

  private var state: String {
    switch report.state {
    case .running: "is running"
    case .stopped where report.runCount == 0: "has not begun"
    case .stopped:
      report.doneByteCount < report.totalByteCount
        ? "is not finished" : "is recorded in full, but its last check is missing"
    case .finished: finished
    case .verified: "\(finished), and was read back and found right"
    case .givenUp: "was given up\(givenUpFor)"
    }
  }

  private var finished: String {
    report.finishedSeconds.map { "finished at \(Self.date($0))" } ?? "is finished"
  }

  private var givenUpFor: String {
    report.givenUp.map {
      " at \(Self.date($0.seconds)) for a merge of thin device \($0.deviceID)"
    } ?? ""
  }

  private func addLeft(to text: inout ReportText) {
    guard report.doneByteCount < report.totalByteCount, report.state != .givenUp else { return }
    let left = report.totalByteCount - report.doneByteCount
    var value = left.formattedByteCount
    if report.doneByteCount > 0, let writing {
      let perSecond = Double(report.doneByteCount) / writing.seconds
      let seconds = Int64(min(Double(left) / perSecond, 1e15))
      value += ", \(Amount.time(.seconds(seconds))) at the speed so far"
    }
    text.add("left", value)
  }

  private func addNext(to text: inout ReportText) {
    switch report.state {
    case .running:
      text.addNext("Nothing to do: SIGUSR1 makes it print a line, SIGINT stops it in good order.")
    case .stopped where report.runCount == 0:
      text.addNext(
        "Nothing was written to the origin. To begin:", .resume(journalPath: report.journalPath))
    case .stopped:
      text.addNext(
        "The origin may be merged in part; keep the thin device. To go on:",
        .resume(journalPath: report.journalPath))
      addRestart("If the thin device was written to since, and that is refused", to: &text)
    case .givenUp:
      text.addNext("Nobody goes on with this merge.")
      if let taker = report.givenUp, taker.journalPath != report.journalPath {
        text.addNext(
          "The merge that took its place:", .status(journalPath: taker.journalPath))
      } else {
        addRestart("The origin may be merged in part", to: &text)
      }
    case .finished where report.handover != nil, .verified where report.handover != nil:
      addHandover(to: &text)
    case .finished:
      text.addNext(
        "Keep the thin device until the origin is verified:",
        .verify(journalPath: report.journalPath))
      addFinish(to: &text)
    case .verified where isOfVolumes:
      addFinish(to: &text)
    case .verified:
      text.addNext(
        "Nothing is left to do. Before the thin device is removed, compare it with the origin by "
          + "'thin-merge verify'.")
    }
  }

  /// Adds the command that merges from the beginning, with the thin device's name.
  private func addRestart(_ reason: String, to text: inout ReportText) {
    guard let name = report.thinDeviceName else {
      return text.addNext(
        "\(reason): 'thin-merge merge' with --restart merges from the beginning.")
    }
    let origin = report.originName ?? report.originPath
    text.addNext(
      "\(reason); this merges from the beginning:",
      .merge([name, "--origin", origin, "--restart"]))
  }

  /// True if the merge is of LVM's volumes.
  private var isOfVolumes: Bool {
    report.originName != nil && report.thinDeviceName?.hasPrefix("/") == false
  }

  private func addFinish(to text: inout ReportText) {
    guard isOfVolumes, let origin = report.originName, let thin = report.thinDeviceName else {
      return
    }
    text.addNext(
      "To compare everything, remove \(thin) and make \(origin) an ordinary volume:",
      .resume(journalPath: report.journalPath, finish: true))
  }

  private func addHandover(to text: inout ReportText) {
    guard let handover = report.handover else { return }
    guard !report.isHandedOver else { return text.addNext(Self.done(handover)) }
    text.addNext(
      "\(handover.originFullName) is about to take the place of \(handover.thinFullName) in LVM. "
        + "To go on:", .resume(journalPath: report.journalPath, finish: true))
  }

  /// Returns the result of a handover.
  static func done(_ handover: VolumeHandover) -> String {
    let name =
      handover.takesName
      ? "\(handover.originFullName) is an ordinary volume, called \(handover.finalFullName) now"
      : "\(handover.originFullName) is an ordinary volume now"
    return "\(handover.thinFullName) is removed; \(name). Nothing is left to do."
  }

  /// Returns a date in ISO 8601, or the bare number outside of the years 1970 to 9999.
  static func date(_ secondsSince1970: Int64) -> String {
    guard (0...253_402_300_799).contains(secondsSince1970) else { return "\(secondsSince1970)" }
    return Date(timeIntervalSince1970: Double(secondsSince1970)).formatted(.iso8601)
  }
}
