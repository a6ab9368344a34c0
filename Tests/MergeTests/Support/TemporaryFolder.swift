import Foundation

/// A folder for one test, removed with everything in it when the last reference goes.
final class TemporaryFolder {
  /// Where such folders are made: on the machine's disk, not in memory.
  static var parent: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp" }

  let path: String
  private let mount: Mount?

  /// A folder on the machine's disk that every user may look into.
  init() throws {
    path = try Self.makeFolder()
    mount = nil
  }

  /// A folder that is a file system of its own, in memory, of at most `byteCount` bytes.
  init(onTmpfsOf byteCount: Int) throws {
    path = try Self.makeFolder()
    mount = try Mount(tmpfsOf: byteCount, at: path)
  }

  deinit {
    mount?.unmount()
    // Errors cannot be thrown from here; what is left is in a folder for temporary files.
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of `name` inside.
  func path(_ name: String) -> String { path + "/" + name }

  /// Makes a tmpfs folder read-only from here on.
  func makeReadOnly() throws { try mount?.remount(options: "ro") }

  /// Changes how much fits into a tmpfs folder.
  func resize(to byteCount: Int) throws { try mount?.remount(options: "size=\(byteCount)") }

  /// The names of everything inside, sorted.
  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  private static func makeFolder() throws -> String {
    let path = parent + "/thin-merge-test-" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
    return path
  }
}
