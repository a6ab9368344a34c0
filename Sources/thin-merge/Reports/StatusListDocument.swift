internal import MergeEngine

/// The status of all merges whose journals are known, as JSON for programs.
struct StatusListDocument: Encodable {
  private let schema = "thin-merge/status-list/1"
  private let journals: [JournalDocument]

  init(_ journals: [JournalListing]) { self.journals = journals.map { JournalDocument($0) } }

  private struct JournalDocument: Encodable {
    let path: String
    let pathBase64: String?
    @Nullable var merge: MergeSummary?
    @Nullable var error: ErrorDocument?

    init(_ journal: JournalListing) {
      path = FileSystem.absolute(journal.path)
      pathBase64 = JSONText.base64(path)
      merge = journal.status.map { MergeSummary($0) }
      error = journal.error.map {
        ErrorDocument(code: $0.code.rawValue, message: $0.inCommandTerms.message)
      }
    }

    private enum CodingKeys: String, CodingKey {
      case merge, error
      case path = "journal"
      case pathBase64 = "journal_base64"
    }
  }

  private struct ErrorDocument: Encodable {
    let code, message: String
  }
}

/// The entry for a merge in a list, as JSON for programs.
struct MergeSummary: Encodable {
  private let state: String
  @Nullable private var thinDeviceName: String?
  private let deviceID: UInt32
  private let originPath: String
  private let originBase64: String?
  private let doneByteCount, totalByteCount: UInt64
  private let recordedSeconds: Int64

  init(_ status: StatusReport) {
    state = status.state.rawValue
    thinDeviceName = status.thinDeviceName
    deviceID = status.deviceID
    originPath = status.originPath
    originBase64 = JSONText.base64(originPath)
    doneByteCount = status.doneByteCount
    totalByteCount = status.totalByteCount
    recordedSeconds = status.recordedSeconds
  }

  private enum CodingKeys: String, CodingKey {
    case state
    case thinDeviceName = "thin_device"
    case deviceID = "dev_id"
    case originPath = "origin"
    case originBase64 = "origin_base64"
    case doneByteCount = "done_bytes"
    case totalByteCount = "total_bytes"
    case recordedSeconds = "recorded_time"
  }
}
