import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: JSON output and its schemas", .waitsForPrograms, .needsJSONSchema)
struct SchemaTests {
  @Test(
    "every printed JSON report and line matches its schema",
    arguments: PrintedDocument.all)
  func printed(document: PrintedDocument) throws {
    let result = try document.run()
    #expect(result.exitStatus == document.exitStatus, "\(result.standardError)")
    var texts = result.lines.map { (schema: "messages", text: $0) }
    if let schema = document.schema {
      let report = try result.report()
      for (name, value) in document.shows { #expect(report[name] == value, "\(name)") }
      texts.append((schema, result.standardOutput))
    } else {
      #expect(result.standardOutput.isEmpty)
      #expect(!texts.isEmpty)
    }
    #expect(try JSONSchema.complaints(of: texts) == [])
  }

  @Test("JSON progress lines match their schema even if the report is text")
  func progressBesideText() throws {
    let result = try MergeCase().interruptMerge(["--progress", "json"])
    #expect(result.standardOutput.hasPrefix("Merge of thin device 0 into "))
    #expect(try JSONSchema.complaints(of: result.lines.map { ("messages", $0) }) == [])
    let types = try result.messages().compactMap { $0["type"]?.string }
    #expect(Set(types) == ["progress", "note", "error"], "\(types)")
  }

  @Test("a usage error with JSON progress is printed as one object that matches the schema")
  func usageBesideText() throws {
    let result = try ThinMergeCommand.run(["verify", "--progress", "json"])
    #expect(result.lines.count == 1)
    #expect(try JSONSchema.complaints(of: result.lines.map { ("messages", $0) }) == [])
  }

  @Test("JSON documents with extreme values match their schemas")
  func extremes() throws {
    let documents = [
      ("merge", JSONText.report(MergeDocument(.extreme, source: .extreme, originPath: "/o"))),
      (
        "verify",
        JSONText.report(
          VerifyDocument(.extreme, source: .extreme, originPath: "/o", journalPath: "/j"))
      ),
      ("settle", JSONText.report(SettleDocument(.samples, isList: false))),
      ("messages", JSONText.message(ProgressDocument(.extreme), seconds: 0)),
      ("messages", JSONText.message(ProgressDocument(.first), seconds: .max)),
      ("list", JSONText.report(ListDocument([.full, .bare]))),
      ("status-list", JSONText.report(StatusListDocument(JournalListing.samples))),
    ]
    #expect(try JSONSchema.complaints(of: documents) == [])
  }

  @Test("the error line printed for an internal bug matches the schema")
  func bug() throws {
    let lines = Lines()
    Messages(format: .json) { text, _ in lines.append(text) }
      .failure(Failure(MergeError(.bug, .bug, "what", at: "where", because: "why")))
    #expect(lines.all.count == 1)
    #expect(try JSONSchema.complaints(of: lines.all.map { ("messages", $0) }) == [])
  }

  @Test(
    "an invalid document fails schema validation with the expected message",
    arguments: WrongDocument.all)
  func wrong(document: WrongDocument) throws {
    let schema = JSONSchema(name: document.schema)
    #expect(try schema.complaints(of: document.right) == [])
    let complaints = try schema.complaints(of: document.wrong)
    #expect(complaints.contains { $0.contains(document.complaint) }, "\(complaints)")
  }

  @Test(
    "a schema's ID, its file name and the name in its documents agree", arguments: JSONSchema.names)
  func identity(name: String) throws {
    let schema = try JSONSchema(name: name).document()
    #expect(schema["$id"] == .string("urn:thin-merge:schema:\(name):1"))
    let document = schema["properties"]?["schema"]?["const"]
    #expect(document == (name == "messages" ? nil : .string("thin-merge/\(name)/1")))
  }

  @Test(
    "every object in a schema requires and allows exactly the fields it describes",
    arguments: JSONSchema.names)
  func closed(name: String) throws {
    let objects = try JSONSchema(name: name).document().objects
    #expect(!objects.isEmpty)
    for object in objects {
      // A path's bytes are included only if the path is not valid text.
      let names = (object["properties"]?.members.keys.sorted() ?? [])
        .filter { !$0.hasSuffix("_base64") }
      #expect(object["required"]?.array?.compactMap(\.string).sorted() == names)
      #expect(object["additionalProperties"] == .boolean(false))
      for (name, property) in object["properties"]?.members ?? [:] where name != "type" {
        #expect(property["description"]?.string?.hasSuffix(".") == true, "\(name)")
      }
    }
  }

  @Test("fields shared by two schemas have the same description")
  func alike() throws {
    let plan = try JSONSchema(name: "plan").document()["properties"]?.members ?? [:]
    let merge = try JSONSchema(name: "merge").document()
    let verify = try JSONSchema(name: "verify").document()
    // A plan can be made without an origin, but a merge cannot.
    for (name, property) in merge["properties"]?.members ?? [:]
    where plan[name] != nil && !["schema", "origin", "origin_bytes", "journal"].contains(name) {
      #expect(plan[name] == property, "\(name)")
    }
    for name in ["thin_device", "metadata", "data", "origin", "remnants"] {
      #expect(merge["properties"]?[name] == verify["properties"]?[name], "\(name)")
    }
    // The enclosing report says what was compared.
    let around = [
      "schema", "dev_id", "thin_device", "metadata", "data", "origin", "journal",
      "unfinished_journal", "thin_device_state", "remnants", "version",
    ]
    let compared = (verify["properties"]?.members ?? [:]).filter {
      !around.contains($0.key) && !$0.key.hasSuffix("_base64")
    }
    #expect(merge["$defs"]?["verification"]?["properties"] == .object(compared))
    for name in ["range", "stop"] { #expect(merge["$defs"]?[name] == verify["$defs"]?[name]) }
  }

  @Test("the documentation page about the schemas lists every schema file")
  func page() throws {
    let folder = PackageFolder.path("docs/schema")
    let page = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".json") }.sorted()
    #expect(files == JSONSchema.names.map { "\($0)-1.json" }.sorted())
    for file in files { #expect(page.contains("`\(file)`")) }
  }
}

/// A valid document, a change that makes it invalid, and the validation error expected from the
/// schema.
struct WrongDocument: Sendable, CustomTestStringConvertible {
  let schema: String
  let right: String
  let wrong: String
  let complaint: String

  var testDescription: String { complaint }

  private init(
    _ schema: String, _ right: String, replacing: String, with replacement: String,
    complaint: String
  ) {
    self.schema = schema
    self.right = right
    wrong = right.replacing(replacing, with: replacement)
    self.complaint = complaint
  }

  private static let note = """
    {"code": "c", "message": "a", "time": "1970-01-01T00:00:00Z", "type": "note", "version": "1"}
    """
  private static let devices = """
    {"devices": [{"creation_time": 0, "dev_id": 1, "mapped_blocks": 2, "snapshotted_time": 0,
    "transaction_id": 3}], "schema": "thin-merge/devices/1", "version": "1"}
    """

  static let all: [Self] = [
    Self(
      "devices", devices, replacing: #""dev_id": 1"#, with: #""dev_id": 1, "colour": 7"#,
      complaint: "'colour' was unexpected"),
    Self(
      "devices", devices, replacing: #""mapped_blocks": 2,"#, with: "",
      complaint: "'mapped_blocks' is a required property"),
    Self(
      "devices", devices, replacing: #""dev_id": 1"#, with: #""dev_id": "1""#,
      complaint: "/devices/0/dev_id: '1' is not of type 'integer'"),
    Self(
      "devices", devices, replacing: #""dev_id": 1"#, with: #""dev_id": -1"#,
      complaint: "/devices/0/dev_id: -1 is less than the minimum of 0"),
    Self(
      "devices", devices, replacing: "devices/1", with: "devices/2",
      complaint: "/schema: 'thin-merge/devices/1' was expected"),
    Self("devices", devices, replacing: #""dev_id": 1"#, with: "", complaint: "line 1 column"),
    Self(
      "devices", devices, replacing: #""mapped_blocks": 2"#, with: #""mapped_blocks": NaN"#,
      complaint: "NaN is no JSON"),
    Self(
      "messages", note, replacing: #""type""#, with: #""colour": 7, "type""#,
      complaint: "'colour' was unexpected"),
    Self(
      "messages", note, replacing: #""note""#, with: #""rumour""#,
      complaint: "/type: 'note' was expected"),
    Self(
      "merge", JSONText.report(MergeDocument(.extreme, source: .extreme, originPath: "/o")),
      replacing: #""stopped","#,
      with: #""finished","#, complaint: "is not of type 'null'"),
    Self(
      "merge", JSONText.report(MergeDocument(.extreme, source: .extreme, originPath: "/o")),
      replacing: #""granularity" : "entry""#,
      with: #""granularity" : "block""#, complaint: "'block' is not one of ['sector', 'entry']"),
  ]
}

/// A collection of printed lines, for a test to inspect.
private final class Lines: @unchecked Sendable {
  // Only the test's thread writes to this property.
  private(set) var all: [String] = []

  func append(_ text: String) { all.append(text) }
}

extension CommandResult {
  /// The lines of standard error.
  fileprivate var lines: [String] { standardError.split(separator: "\n").map(String.init) }
}

extension JSONValue {
  /// The members of a JSON object; empty for any other JSON value.
  fileprivate var members: [String: JSONValue] {
    guard case .object(let members) = self else { return [:] }
    return members
  }

  /// Every object schema nested in this schema.
  fileprivate var objects: [JSONValue] {
    switch self {
    case .object(let members):
      (self["type"] == .string("object") && self["properties"] != nil ? [self] : [])
        + members.values.flatMap(\.objects)
    case .array(let elements): elements.flatMap(\.objects)
    default: []
    }
  }
}

extension ReportedSource {
  fileprivate static let extreme = ReportedSource(
    name: "\u{1b}\"\n", deviceID: 16_777_215, metadataPath: "/m", dataPath: "/d")
}

extension VerifyReport {
  fileprivate static let extreme = VerifyReport(
    granularity: .entry, comparedByteCount: .max, differingByteCount: .max,
    differences: [ByteRange(start: 0, end: .max)],
    unreadable: [ByteRange(start: .max - 1, end: .max)], duration: .seconds(Int64.max),
    incomplete: MergeError(.interrupted, .stopped, "what", at: "where \"\n\u{1b}", because: "why"))
}

extension MergeReport {
  fileprivate static let extreme = MergeReport(
    plan: PlanReport(
      deviceID: 16_777_215, blockByteCount: 1 << 30, mappedBlockCount: .max, runCount: .max,
      byteCount: .max, pastEndBlockCount: .max, clippedByteCount: .max, thinByteCount: .max,
      thinByteCountIsAssumed: false, originByteCount: .max, grownOriginByteCount: .max,
      journalByteCountMax: .max, journalPath: "j", fingerprint: "0123456789abcdef-01234567",
      transactionID: .max, heldRoot: .max, otherDeviceCount: .max),
    state: .stopped(MergeError(.bug, .bug, "what", at: "where", because: "why", hint: "hint")),
    writtenByteCount: .max, resumedFromByteCount: .max, recheckedByteCount: .max,
    rewrittenByteCount: .max, duration: .zero, submitDuration: .nanoseconds(1),
    checkpointCount: .max, verification: .extreme, journalPath: "j",
    unreadable: [ByteRange(start: 0, end: 1)])
}

extension ProgressLine {
  fileprivate static var extreme: ProgressLine {
    var line = ProgressLine(
      progress: MergeProgress(
        phase: .rechecking, doneByteCount: 0, totalByteCount: .max, earlierByteCount: 0,
        elapsed: .zero, readsInFlight: 4096, writesInFlight: 4096, sinceCheckpoint: .zero),
      pace: RateEstimator())
    line.pace.record(line.progress)
    line.progress.doneByteCount = .max - 1
    line.progress.elapsed = .milliseconds(200)
    return line
  }

  fileprivate static let first = ProgressLine(
    progress: MergeProgress(
      phase: .planning, doneByteCount: 0, totalByteCount: 0, earlierByteCount: 0, elapsed: .zero,
      readsInFlight: 0, writesInFlight: 0), pace: RateEstimator())
}
