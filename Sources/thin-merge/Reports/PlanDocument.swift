internal import MergeEngine

/// The plan of a merge, as JSON for programs.
struct PlanDocument: Encodable {
  private let report: PlanReport
  private let source: SourceFields
  private let refusal: Failure?

  init(
    _ report: PlanReport, source: ReportedSource, originPath: String?, refusal: Failure? = nil
  ) {
    self.report = report
    self.refusal = refusal
    self.source = SourceFields(source, originPath: originPath)
  }

  private enum CodingKeys: String, CodingKey {
    case schema, finished, again, refused
    case handover = "planned_handover"
    case recordedByteCount = "recorded_bytes"
    case comparedByteCount = "compared_bytes"
    case journalsPutAside = "put_aside"
    case runLengths = "run_lengths"
    case map
  }

  func encode(to encoder: any Encoder) throws {
    try source.encode(to: encoder)
    try PlanFields(report).encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode("thin-merge/plan/1", forKey: .schema)
    try container.encode(report.recordedByteCount, forKey: .recordedByteCount)
    try container.encode(report.comparedByteCount, forKey: .comparedByteCount)
    try container.encode(report.isFinished, forKey: .finished)
    try container.encode(report.isMergedAgain, forKey: .again)
    try container.encode(
      report.journalsPutAside.map { JournalDocument($0) }, forKey: .journalsPutAside)
    try container.encode(
      report.handover.map { HandoverDocument("planned", $0) }, forKey: .handover)
    try container.encode(refusal.map { RefusalDocument($0) }, forKey: .refused)
    try container.encode(
      report.layout.runLengths.map { RunLengthDocument($0) }, forKey: .runLengths)
    try container.encode(MapDocument(report.layout), forKey: .map)
  }
}

/// The reason that a merge would be refused, as JSON for programs.
private struct RefusalDocument: Encodable {
  private let code: String
  private let message: String
  @Nullable private var hint: String?
  private let exitStatus: Int32

  init(_ failure: Failure) {
    code = failure.code
    message = failure.message
    hint = failure.hint
    exitStatus = failure.exitStatus.rawValue
  }

  private enum CodingKeys: String, CodingKey {
    case code, message, hint
    case exitStatus = "exit_status"
  }
}

/// A merge's journal, as JSON for programs.
private struct JournalDocument: Encodable {
  private let journalPath: String
  private let journalBase64: String?

  init(_ path: String) {
    journalPath = FileSystem.absolute(path)
    journalBase64 = JSONText.base64(journalPath)
  }

  private enum CodingKeys: String, CodingKey {
    case journalPath = "journal"
    case journalBase64 = "journal_base64"
  }
}

/// The runs whose length is between one power of two and the next.
private struct RunLengthDocument: Encodable {
  private let byteCountMin, runCount, byteCount: UInt64

  init(_ runLength: MappingLayout.RunLength) {
    byteCountMin = runLength.byteCountMin
    runCount = runLength.runCount
    byteCount = runLength.byteCount
  }

  private enum CodingKeys: String, CodingKey {
    case byteCountMin = "min_bytes"
    case runCount = "runs"
    case byteCount = "bytes"
  }
}

/// The distribution of the merged bytes over the origin.
private struct MapDocument: Encodable {
  private let cellByteCount: UInt64
  private let mappedByteCounts: [UInt64]

  init(_ layout: MappingLayout) {
    cellByteCount = layout.cellByteCount
    mappedByteCounts = layout.cells
  }

  private enum CodingKeys: String, CodingKey {
    case cellByteCount = "cell_bytes"
    case mappedByteCounts = "mapped_bytes"
  }
}

/// The plan's fields, which every report on a merge contains.
struct PlanFields: Encodable {
  private let deviceID: UInt32
  @Nullable private var snapshotID: UInt32?
  private let makesSnapshot, thinDeviceIsOpen: Bool
  @Nullable private var protectedOriginName: String?
  private let blockByteCount, mappedBlockCount, runCount, byteCount: UInt64
  private let pastEndBlockCount, clippedByteCount: UInt64
  private let thinByteCount: UInt64
  private let thinByteCountIsAssumed: Bool
  @Nullable private var originByteCount: UInt64?
  @Nullable private var grownOriginByteCount: UInt64?
  private let journalByteCountMax: UInt64
  @Nullable private var journalPath: String?
  private let journalBase64: String?
  private let fingerprint: String
  private let transactionID: UInt64
  @Nullable private var heldRoot: UInt64?
  private let otherDeviceCount: UInt64
  private let remnants: [RemnantDocument]

  init(_ report: PlanReport) {
    deviceID = report.deviceID
    snapshotID = report.snapshotID
    makesSnapshot = report.makesSnapshot
    thinDeviceIsOpen = report.thinDeviceIsOpen
    protectedOriginName = report.protectedOriginName
    blockByteCount = report.blockByteCount
    mappedBlockCount = report.mappedBlockCount
    runCount = report.runCount
    byteCount = report.byteCount
    pastEndBlockCount = report.pastEndBlockCount
    clippedByteCount = report.clippedByteCount
    thinByteCount = report.thinByteCount
    thinByteCountIsAssumed = report.thinByteCountIsAssumed
    originByteCount = report.originByteCount
    grownOriginByteCount = report.grownOriginByteCount
    journalByteCountMax = report.journalByteCountMax
    let absolute = report.journalPath.map { FileSystem.absolute($0) }
    journalPath = absolute
    journalBase64 = JSONText.base64(absolute)
    fingerprint = report.fingerprint
    transactionID = report.transactionID
    heldRoot = report.heldRoot
    otherDeviceCount = report.otherDeviceCount
    remnants = report.remnants.map { RemnantDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case deviceID = "dev_id"
    case snapshotID = "snapshot_id"
    case makesSnapshot = "makes_snapshot"
    case thinDeviceIsOpen = "thin_device_open"
    case protectedOriginName = "write_protected_origin"
    case blockByteCount = "block_size"
    case mappedBlockCount = "mapped_blocks"
    case runCount = "runs"
    case byteCount = "bytes"
    case pastEndBlockCount = "past_end_blocks"
    case clippedByteCount = "clipped_bytes"
    case thinByteCount = "thin_bytes"
    case thinByteCountIsAssumed = "thin_size_assumed"
    case originByteCount = "origin_bytes"
    case grownOriginByteCount = "grown_origin_bytes"
    case journalByteCountMax = "journal_bytes_max"
    case journalPath = "journal"
    case journalBase64 = "journal_base64"
    case fingerprint
    case transactionID = "transaction_id"
    case heldRoot = "metadata_snapshot"
    case otherDeviceCount = "other_devices"
    case remnants
  }
}

/// The data that an abandoned merge left on the origin.
struct RemnantDocument: Encodable {
  private let deviceID: UInt32?
  private let recordedByteCount: UInt64

  init(_ remnant: MergeRemnant) {
    deviceID = remnant.deviceID
    recordedByteCount = remnant.recordedByteCount
  }

  private enum CodingKeys: String, CodingKey {
    case deviceID = "dev_id"
    case recordedByteCount = "recorded_bytes"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(deviceID, forKey: .deviceID)
    try container.encode(recordedByteCount, forKey: .recordedByteCount)
  }
}
