internal import MergeEngine

/// The result of a comparison, as JSON for programs.
struct VerifyDocument: Encodable {
  private let report: VerifyReport
  private let source: SourceFields
  private let deviceID: UInt32
  private let journalPath: String?

  /// - `journalPath`: the journal that the origin was compared with; nil if it was compared with
  ///   the thin device.
  init(
    _ report: VerifyReport, source: ReportedSource, originPath: String, journalPath: String?
  ) {
    self.report = report
    self.source = SourceFields(source, originPath: originPath)
    deviceID = source.deviceID
    self.journalPath = journalPath.map { FileSystem.absolute($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case schema, remnants
    case deviceID = "dev_id"
    case thinDeviceState = "thin_device_state"
    case journalPath = "journal"
    case journalBase64 = "journal_base64"
    case unfinishedJournalPath = "unfinished_journal"
    case unfinishedJournalBase64 = "unfinished_journal_base64"
  }

  func encode(to encoder: any Encoder) throws {
    try source.encode(to: encoder)
    try VerifyFields(report).encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode("thin-merge/verify/1", forKey: .schema)
    try container.encode(deviceID, forKey: .deviceID)
    try container.encode(report.remnants.map { RemnantDocument($0) }, forKey: .remnants)
    try container.encode(report.thinDevice?.rawValue, forKey: .thinDeviceState)
    try container.encode(journalPath, forKey: .journalPath)
    try container.encodeIfPresent(JSONText.base64(journalPath), forKey: .journalBase64)
    let unfinished = report.unfinishedMerge.map { FileSystem.absolute($0.journalPath) }
    try container.encode(unfinished, forKey: .unfinishedJournalPath)
    try container.encodeIfPresent(
      JSONText.base64(unfinished), forKey: .unfinishedJournalBase64)
  }
}

/// The fields that every report on a comparison contains.
struct VerifyFields: Encodable {
  private let comparedByteCount, differingByteCount: UInt64
  private let granularity: String
  private let differences, unreadable: [RangeDocument]
  private let seconds: Double
  @Nullable private var incomplete: StopDocument?

  init(_ report: VerifyReport) {
    comparedByteCount = report.comparedByteCount
    differingByteCount = report.differingByteCount
    granularity = report.granularity.rawValue
    differences = report.differences.map { RangeDocument($0) }
    unreadable = report.unreadable.map { RangeDocument($0) }
    seconds = report.duration.seconds
    incomplete = report.incomplete.map { StopDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case comparedByteCount = "compared_bytes"
    case differingByteCount = "differing_bytes"
    case granularity, differences, unreadable, seconds, incomplete
  }
}
