internal import MergeEngine

/// The result of a merge, as JSON for programs: the fields of the plan plus those of the result.
struct MergeDocument: Encodable {
  private let report: MergeReport
  private let source: SourceFields

  init(_ report: MergeReport, source: ReportedSource, originPath: String) {
    self.report = report
    self.source = SourceFields(source, originPath: originPath)
  }

  func encode(to encoder: any Encoder) throws {
    try source.encode(to: encoder)
    try PlanFields(report.plan).encode(to: encoder)
    try MergeFields(report).encode(to: encoder)
  }
}

private struct MergeFields: Encodable {
  let schema = "thin-merge/merge/1"
  let state: String
  let isChanged: Bool
  @Nullable var isCompared: Bool?
  @Nullable var finishedSeconds: Int64?
  @Nullable var failure: StopDocument?
  let writtenByteCount, resumedFromByteCount, recheckedByteCount, rewrittenByteCount: UInt64
  let seconds, submitSeconds: Double
  let checkpointCount: UInt64
  /// True if everything was read back and matched; also false if no verification was requested.
  let isVerified: Bool
  @Nullable var verification: VerifyFields?
  let thinDeviceState: String
  @Nullable var handover: HandoverDocument?
  let journalPath: String
  let journalBase64: String?
  let unreadable: [RangeDocument]

  init(_ report: MergeReport) {
    switch report.state {
    case .finished:
      state = "finished"
      failure = nil
    case .stopped(let error):
      state = "stopped"
      failure = StopDocument(error)
    }
    isChanged = report.earlier == nil
    isCompared = report.earlier?.isCompared
    finishedSeconds = report.earlier?.finishedSeconds
    writtenByteCount = report.writtenByteCount
    resumedFromByteCount = report.resumedFromByteCount
    recheckedByteCount = report.recheckedByteCount
    rewrittenByteCount = report.rewrittenByteCount
    seconds = report.duration.seconds
    submitSeconds = report.submitDuration.seconds
    checkpointCount = report.checkpointCount
    isVerified = report.verification.map { ExitStatus($0) == .done } ?? false
    verification = report.verification.map { VerifyFields($0) }
    thinDeviceState = report.thinDevice.rawValue
    handover = report.handover.map { HandoverDocument($0) }
    journalPath = report.journalPath
    journalBase64 = JSONText.base64(report.journalPath)
    unreadable = report.unreadable.map { RangeDocument($0) }
  }

  enum CodingKeys: String, CodingKey {
    case schema, state, seconds, verification, handover, unreadable
    case failure = "stopped_by"
    case isChanged = "changed"
    case isCompared = "compared"
    case finishedSeconds = "finished_time"
    case writtenByteCount = "bytes_written"
    case resumedFromByteCount = "resumed_from_bytes"
    case recheckedByteCount = "rechecked_bytes"
    case rewrittenByteCount = "rewritten_bytes"
    case submitSeconds = "submit_seconds"
    case checkpointCount = "checkpoints"
    case isVerified = "verified"
    case thinDeviceState = "thin_device_state"
    case journalPath = "journal"
    case journalBase64 = "journal_base64"
  }
}

/// The state of the handover in LVM, which replaces the thin volume with its origin.
struct HandoverDocument: Encodable {
  private let state: String
  @Nullable private var thinVolume: String?
  @Nullable private var originVolume: String?
  /// The origin's name after the handover.
  @Nullable private var finalName: String?
  @Nullable private var failure: StopDocument?

  init(_ state: HandoverState) {
    switch state {
    case .proposed(let handover): self.init("proposed", handover)
    case .done(let handover): self.init("done", handover)
    case .stopped(let error): self.init("stopped", nil, error)
    }
  }

  init(_ state: String, _ handover: VolumeHandover?, _ error: MergeError? = nil) {
    self.state = state
    thinVolume = handover?.thinFullName
    originVolume = handover?.originFullName
    finalName = handover?.finalFullName
    failure = error.map { StopDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case state
    case thinVolume = "thin_volume"
    case originVolume = "origin_volume"
    case finalName = "final_name"
    case failure = "stopped_by"
  }
}

/// The reason that a merge stopped early.
struct StopDocument: Encodable {
  private let code: String
  private let message: String
  @Nullable private var hint: String?

  init(_ error: MergeError) {
    let error = error.inCommandTerms
    code = error.code.rawValue
    message = error.message
    hint = error.hint
  }
}
