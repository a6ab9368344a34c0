internal import MergeEngine

/// The status of a merge, as JSON for programs.
struct StatusDocument: Encodable {
  private let schema = "thin-merge/status/1"
  private let state: String
  private let doneByteCount, totalByteCount: UInt64
  private let writingSeconds: Int64
  private let runCount: UInt64
  private let begunSeconds, recordedSeconds: Int64
  @Nullable private var finishedSeconds: Int64?
  @Nullable private var givenUp: GivenUpDocument?
  private let metadataPath, dataPath, originPath, journalPath: String
  private let metadataBase64, dataBase64, originBase64, journalBase64: String?
  @Nullable private var thinDeviceName: String?
  private let deviceID: UInt32
  @Nullable private var handover: HandoverDocument?
  private let unreadable: [RangeDocument]

  init(_ report: StatusReport) {
    state = report.state.rawValue
    doneByteCount = report.doneByteCount
    totalByteCount = report.totalByteCount
    writingSeconds = report.writingSeconds
    runCount = report.runCount
    begunSeconds = report.begunSeconds
    recordedSeconds = report.recordedSeconds
    finishedSeconds = report.finishedSeconds
    givenUp = report.givenUp.map { GivenUpDocument($0) }
    metadataPath = report.metadataPath
    dataPath = report.dataPath
    originPath = report.originPath
    journalPath = FileSystem.absolute(report.journalPath)
    metadataBase64 = JSONText.base64(metadataPath)
    dataBase64 = JSONText.base64(dataPath)
    originBase64 = JSONText.base64(originPath)
    journalBase64 = JSONText.base64(journalPath)
    thinDeviceName = report.thinDeviceName
    deviceID = report.deviceID
    handover = report.handover.map {
      HandoverDocument(report.isHandedOver ? "done" : "begun", $0)
    }
    unreadable = report.unreadable.map { RangeDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case schema, state, handover, unreadable
    case doneByteCount = "done_bytes"
    case totalByteCount = "total_bytes"
    case writingSeconds = "writing_seconds"
    case runCount = "merge_runs"
    case begunSeconds = "begun_time"
    case recordedSeconds = "recorded_time"
    case finishedSeconds = "finished_time"
    case givenUp = "given_up"
    case metadataPath = "metadata"
    case dataPath = "data"
    case originPath = "origin"
    case journalPath = "journal"
    case metadataBase64 = "metadata_base64"
    case dataBase64 = "data_base64"
    case originBase64 = "origin_base64"
    case journalBase64 = "journal_base64"
    case thinDeviceName = "thin_device"
    case deviceID = "dev_id"
  }
}

/// The time at which a merge was abandoned, and the merge that replaced it.
private struct GivenUpDocument: Encodable {
  private let seconds: Int64
  private let deviceID: UInt32
  private let journalPath: String
  private let journalBase64: String?

  init(_ givenUp: StatusReport.GivenUp) {
    seconds = givenUp.seconds
    deviceID = givenUp.deviceID
    journalPath = givenUp.journalPath
    journalBase64 = JSONText.base64(journalPath)
  }

  private enum CodingKeys: String, CodingKey {
    case seconds = "time"
    case deviceID = "dev_id"
    case journalPath = "journal"
    case journalBase64 = "journal_base64"
  }
}
