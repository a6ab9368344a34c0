import Fixtures
import Foundation
import Testing

@testable import MergeEngine

extension MergeCase {
  /// Creates a pool with two thin devices.
  ///
  /// By default, a test merges device 0.
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

  /// Returns the command line that runs a verb on thin device 1 instead of the default device 0.
  func argumentsOfDevice1(
    _ verb: String, onto origin: String, _ options: [String] = []
  ) -> [String] {
    [verb, "--metadata", metadata, "--data", data, "--dev-id", "1", "--origin", origin] + options
  }

  /// Returns the error code with which a merge of thin device 1 is refused; nil if it is allowed.
  func refusalOfDevice1(onto origin: String) throws -> String? {
    let plan = try ThinMergeCommand.run(
      argumentsOfDevice1("plan", onto: origin, ["--output", "json"]))
    return try plan.report()["refused"]?["code"]?.string
  }

  /// Returns the extended attributes of a file that mark unfinished merges.
  static func marks(of path: String) throws -> [String: [UInt8]] {
    try opened(path).attributes(prefix: "user.thin-merge.")
      .reduce(into: [:]) { $0[$1.name] = $1.value }
  }

  /// Returns the names of the extended attributes of a file that mark unfinished merges.
  static func markNames(of path: String) throws -> [String] { try marks(of: path).keys.sorted() }

  /// Adds the given marks to a file, keeping its existing marks.
  static func set(_ marks: [String: [UInt8]], of path: String) throws {
    let file = try opened(path)
    for (name, value) in marks { try file.setAttribute(name, to: value) }
  }

  /// Returns true if a file has an extended attribute whose name starts with `name`.
  static func hasAttribute(_ name: String, of path: String) throws -> Bool {
    try !opened(path).attributes(prefix: name).isEmpty
  }

  /// Removes all marks from a file, as if nothing had ever been merged onto the file.
  static func removeMarks(of path: String) throws {
    let file = try opened(path)
    // The marks of finished merges use a longer prefix that also starts with this string.
    for mark in try file.attributes(prefix: "user.thin-merge") {
      try file.removeAttribute(mark.name)
    }
  }

  private static func opened(_ path: String) throws -> OpenFile {
    try OpenFile(path, role: "file", access: .readOnly, direct: false)
  }
}
