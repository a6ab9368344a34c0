import Foundation

/// A folder of images that a real kernel made.
enum Scenario: String, CaseIterable, Sendable {
  case basic
  case bigBlocks = "big-blocks"
  case shortOrigin = "short-origin"
  case snapshots

  var blockByteCount: Int { self == .bigBlocks ? 1 << 20 : 1 << 16 }

  /// The path of a file of the scenario.
  func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fixtures/Scenarios/\(rawValue)/\(name)").standardizedFileURL
      .path(percentEncoded: false)
  }

  /// What the kernel read from device 0, merged onto the origin: the digest of the whole.
  func mergedDigest() throws -> String {
    let expected = try JSONValue(
      parsing: String(decoding: content(of: path("expected.json")), as: UTF8.self))
    guard let digest = expected["devices"]?.array?.first?["mergedOriginSha256"]?.string else {
      throw SupportError("no digest in expected.json of \(rawValue)")
    }
    return digest
  }

  /// The mappings of device 0, in order of the thin device, as thin_dump printed them.
  func mappings() throws -> [MergeCase.Mapping] {
    let dump = String(decoding: try content(of: path("thin_dump.xml")), as: UTF8.self)
    guard let device = dump.components(separatedBy: "</device>").first else { return [] }
    return device.split(separator: "\n").flatMap { line -> [MergeCase.Mapping] in
      if let thin = line.attribute("origin_block"), let data = line.attribute("data_block") {
        return [MergeCase.Mapping(thinBlock: thin, dataBlock: data)]
      }
      guard let thin = line.attribute("origin_begin"), let data = line.attribute("data_begin"),
        let count = line.attribute("length")
      else { return [] }
      return (0..<count).map { MergeCase.Mapping(thinBlock: thin + $0, dataBlock: data + $0) }
    }
  }
}

extension Substring {
  /// The number in `name="…"`.
  fileprivate func attribute(_ name: String) -> Int? {
    guard let start = range(of: " \(name)=\"")?.upperBound,
      let end = self[start...].firstIndex(of: "\"")
    else { return nil }
    return Int(self[start..<end])
  }
}
