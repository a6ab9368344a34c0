internal import FoundationEssentials
internal import MergeEngine

/// Encodes JSON with sorted keys, so that two outputs of the command can be compared.
enum JSONText {
  /// Returns a report as multiline JSON, including this program's version.
  static func report(_ document: some Encodable) -> String {
    text(
      Stamped(document: document),
      formatting: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
  }

  /// Returns a message as JSON on one line, including this program's version and the time of
  /// writing.
  ///
  /// - `seconds`: the time of writing, in seconds since 1970.
  static func message(
    _ document: some Encodable, seconds: Int64
  ) -> String {
    line(Stamped(document: document, time: StatusText.date(seconds)))
  }

  /// Returns a document as one JSON object on one line.
  static func line(_ document: some Encodable) -> String {
    text(document, formatting: [.sortedKeys, .withoutEscapingSlashes])
  }

  private static func text(
    _ document: some Encodable, formatting: JSONEncoder.OutputFormatting
  ) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting
    do {
      return readable(String(decoding: try encoder.encode(document), as: UTF8.self)) + "\n"
    } catch {
      // Encoding fails only for numbers that are infinite or NaN, and no document contains any.
      preconditionFailure("a document cannot be encoded: \(error)")
    }
  }
}

extension JSONText {
  /// Returns the text with a replacement character for each invalid byte, as other programs print
  /// it.
  private static func readable(_ text: String) -> String {
    guard !PathText.isText(text) else { return text }
    let scalars = text.unicodeScalars.map { PathText.byte(of: $0) == nil ? $0 : "\u{FFFD}" }
    return String(String.UnicodeScalarView(scalars))
  }

  /// Returns a path that is not valid text, encoded in Base64; nil for a path that is valid text.
  static func base64(_ path: String?) -> String? {
    guard let path, !PathText.isText(path) else { return nil }
    return Data(PathText.bytes(of: path)).base64EncodedString()
  }
}

/// A document with the program's version and the time added.
private struct Stamped<Document: Encodable>: Encodable {
  let document: Document
  /// The time in RFC 3339 format; nil in reports.
  var time: String?

  func encode(to encoder: any Encoder) throws {
    try document.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(ThinMerge.versionNumber, forKey: .version)
    try container.encodeIfPresent(time, forKey: .time)
  }

  private enum CodingKeys: String, CodingKey {
    case version, time
  }
}

/// An optional that is encoded as `null` instead of being omitted, so that its key is always
/// present.
@propertyWrapper
struct Nullable<Value: Encodable>: Encodable {
  var wrappedValue: Value?

  init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let value = wrappedValue {
      try container.encode(value)
    } else {
      try container.encodeNil()
    }
  }
}

/// A byte range of the origin, as JSON for programs.
struct RangeDocument: Encodable {
  var offset: UInt64
  var length: UInt64

  init(_ range: ByteRange) {
    offset = range.start
    length = range.byteCount
  }
}

extension Duration {
  /// The duration in seconds, to the nearest thousandth.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds / 1_000_000_000_000_000) / 1000
  }
}
