internal import MergeEngine

/// How far a merge is, for programs.
struct StatusDocument: Encodable {
  private let schema = "thin-merge/status/1"
  private let state: String
  private let doneByteCount, totalByteCount: UInt64
  private let writingSeconds: Int64
  private let runCount: UInt64
  private let begunSeconds, recordedSeconds: Int64
  private let metadataPath, dataPath, originPath, journalPath: String
  private let deviceID: UInt32
  private let unreadable: [RangeDocument]

  init(_ report: StatusReport) {
    state = report.state.rawValue
    doneByteCount = report.doneByteCount
    totalByteCount = report.totalByteCount
    writingSeconds = report.writingSeconds
    runCount = report.runCount
    begunSeconds = report.begunSeconds
    recordedSeconds = report.recordedSeconds
    metadataPath = report.metadataPath
    dataPath = report.dataPath
    originPath = report.originPath
    journalPath = FileSystem.absolute(report.journalPath)
    deviceID = report.deviceID
    unreadable = report.unreadable.map { RangeDocument($0) }
  }

  private enum CodingKeys: String, CodingKey {
    case schema, state, unreadable
    case doneByteCount = "done_bytes"
    case totalByteCount = "total_bytes"
    case writingSeconds = "writing_seconds"
    case runCount = "merge_runs"
    case begunSeconds = "begun_time"
    case recordedSeconds = "recorded_time"
    case metadataPath = "metadata"
    case dataPath = "data"
    case originPath = "origin"
    case journalPath = "journal"
    case deviceID = "dev_id"
  }
}
