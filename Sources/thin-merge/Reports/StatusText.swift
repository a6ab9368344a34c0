internal import FoundationEssentials
internal import MergeEngine

/// The status of a merge, as text for people.
struct StatusText {
  var report: StatusReport
  var style = ReportStyle.plain

  var text: String {
    var text = ReportText(
      "Merge of \(source.shortName) into \(report.originName ?? report.originPath): \(state)",
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
        ? "none; the journal was created at \(Self.date(report.begunSeconds))"
        : "\(report.runCount), the first at \(Self.date(report.begunSeconds))")
    text.add("last record", Self.date(report.recordedSeconds))
    text.add("from", source.dataPath)
    if source.name != nil { text.addDetail("dev id", "\(source.deviceID)") }
    text.addDetail("metadata", source.metadataPath)
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
    case .running: "running"
    case .stopped where report.runCount == 0: "not started"
    case .stopped:
      report.doneByteCount < report.totalByteCount
        ? "unfinished" : "unfinished; all data is recorded, but the final check is missing"
    case .finished: finished
    case .verified: "\(finished), read back and verified"
    case .givenUp: "given up\(givenUpFor)"
    }
  }

  private var finished: String {
    report.finishedSeconds.map { "finished at \(Self.date($0))" } ?? "finished"
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
      value += ", \(Amount.time(.seconds(seconds))) at the average speed"
    }
    text.add("left", value)
  }

  private func addNext(to text: inout ReportText) {
    switch report.state {
    case .running:
      text.addNext(
        "Nothing to do. SIGUSR1 makes the merge print its progress; SIGINT stops it cleanly.")
    case .stopped where report.runCount == 0:
      text.addNext(
        "Nothing was written to the origin. To start the merge:",
        .resume(journalPath: report.journalPath))
    case .stopped:
      text.addNext(
        "The origin may be partially merged; keep the thin device. To resume:",
        .resume(journalPath: report.journalPath))
      addRestart(
        "If that is refused because the thin device was written to since, start over", to: &text)
    case .givenUp:
      text.addNext("This merge cannot continue.")
      if let taker = report.givenUp, taker.journalPath != report.journalPath {
        text.addNext(
          "To see the merge that replaced it:", .status(journalPath: taker.journalPath))
      } else {
        addRestart("The origin may be partially merged; start over", to: &text)
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
        "Nothing is left to do. Before you remove the thin device, compare it with the origin:",
        .verify(source, originPath: report.originName ?? report.originPath))
    }
  }

  /// Adds the command that restarts the merge from the beginning, or just the option for that if
  /// the thin device's name is unknown.
  private func addRestart(_ advice: String, to text: inout ReportText) {
    guard let name = report.thinDeviceName else {
      return text.addNext("\(advice): add --restart to the original merge command.")
    }
    let origin = report.originName ?? report.originPath
    text.addNext("\(advice):", .merge([name, "--origin", origin, "--restart"]))
  }

  /// True if the merge is between LVM volumes.
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
      "\(handover.originFullName) has not fully replaced \(handover.thinFullName) in LVM yet. To "
        + "continue:", .resume(journalPath: report.journalPath, finish: true))
  }

  /// Returns the result of a handover, as text for people.
  static func done(_ handover: VolumeHandover) -> String {
    let name =
      handover.takesName
      ? "\(handover.originFullName) is now an ordinary volume named \(handover.finalFullName)"
      : "\(handover.originFullName) is now an ordinary volume"
    return "\(handover.thinFullName) was removed; \(name). Nothing is left to do."
  }

  /// Returns a date in ISO 8601 format, or the bare number for dates outside the years 1970 to
  /// 9999.
  static func date(_ secondsSince1970: Int64) -> String {
    guard (0...253_402_300_799).contains(secondsSince1970) else { return "\(secondsSince1970)" }
    return Date(timeIntervalSince1970: Double(secondsSince1970)).formatted(.iso8601)
  }
}
