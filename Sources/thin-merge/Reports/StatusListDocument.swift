internal import MergeEngine

/// How far all merges are whose journals are known, for programs.
struct StatusListDocument: Encodable {
  private let schema = "thin-merge/status-list/1"
  private let journals: [JournalDocument]

  init(_ journals: [JournalListing]) { self.journals = journals.map { JournalDocument($0) } }

  private struct JournalDocument: Encodable {
    let path: String
    let pathBase64: String?
    @Nullable var status: StatusDocument?
    @Nullable var error: ErrorDocument?

    init(_ journal: JournalListing) {
      path = FileSystem.absolute(journal.path)
      pathBase64 = JSONText.base64(path)
      status = journal.status.map { StatusDocument($0) }
      error = journal.error.map {
        ErrorDocument(code: $0.code.rawValue, message: $0.inCommandTerms.message)
      }
    }

    private enum CodingKeys: String, CodingKey {
      case status, error
      case path = "journal"
      case pathBase64 = "journal_base64"
    }
  }

  private struct ErrorDocument: Encodable {
    let code, message: String
  }
}
