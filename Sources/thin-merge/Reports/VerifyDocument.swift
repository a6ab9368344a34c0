internal import MergeEngine

/// What comparing found, for programs.
struct VerifyDocument: Encodable {
  private let report: VerifyReport

  init(_ report: VerifyReport) { self.report = report }

  private enum CodingKeys: String, CodingKey { case schema }

  func encode(to encoder: any Encoder) throws {
    try VerifyFields(report).encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode("thin-merge/verify/1", forKey: .schema)
  }
}

/// What every comparison says.
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
