import Fixtures
import Foundation
import Testing

@testable import MergeEngine

extension MergeCase {
  /// A pool with two thin devices, of which 0 is merged unless a test says otherwise.
  static func twoDevices(
    blockCount: Int = 40, in folder: TemporaryFolder? = nil
  ) throws -> MergeCase {
    let builder = PoolImageBuilder(devices: [
      ThinDevice(0, .everyThird(count: blockCount)),
      ThinDevice(1, .everyThird(count: blockCount, startingAt: 1, dataBlock: 100)),
    ])
    return try MergeCase(
      pool: builder.build(), originByteCount: 3 * blockCount * 65_536, in: folder)
  }

  /// The command line of a verb for the thin device 1, which is another merge.
  func argumentsOfDevice1(
    _ verb: String, onto origin: String, _ options: [String] = []
  ) -> [String] {
    [verb, "--metadata", metadata, "--data", data, "--dev-id", "1", "--origin", origin] + options
  }

  /// The code of what a merge of the thin device 1 would be refused for; nil if it would not be.
  func refusalOfDevice1(onto origin: String) throws -> String? {
    let plan = try ThinMergeCommand.run(
      argumentsOfDevice1("plan", onto: origin, ["--output", "json"]))
    return try plan.report()["refused"]?["code"]?.string
  }

  /// The attributes in which a file has marks of unfinished merges.
  static func marks(of path: String) throws -> [String: [UInt8]] {
    try opened(path).attributes(prefix: "user.thin-merge.")
      .reduce(into: [:]) { $0[$1.name] = $1.value }
  }

  /// The names of those attributes.
  static func markNames(of path: String) throws -> [String] { try marks(of: path).keys.sorted() }

  /// Gives a file these marks besides those that it has.
  static func set(_ marks: [String: [UInt8]], of path: String) throws {
    let file = try opened(path)
    for (name, value) in marks { try file.setAttribute(name, to: value) }
  }

  /// Whether a file has an attribute of this name.
  static func hasAttribute(_ name: String, of path: String) throws -> Bool {
    try !opened(path).attributes(prefix: name).isEmpty
  }

  /// Takes all marks off a file, as for one that was never merged onto.
  static func removeMarks(of path: String) throws {
    let file = try opened(path)
    // Those of a finished merge have another prefix, which begins alike.
    for mark in try file.attributes(prefix: "user.thin-merge") {
      try file.removeAttribute(mark.name)
    }
  }

  private static func opened(_ path: String) throws -> OpenFile {
    try OpenFile(path, role: "file", access: .readOnly, direct: false)
  }
}
