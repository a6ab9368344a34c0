import Foundation

/// A folder for one test, removed with its content when the last reference goes.
final class TemporaryFolder {
  /// The parent of the temporary folders: TMPDIR, or a folder on the machine's disk.
  static var parent: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp" }

  let path: String
  private let mount: Mount?

  /// Creates a folder in `parent` that every user can read.
  init() throws {
    path = try Self.makeFolder()
    mount = nil
  }

  /// Creates a folder that is its own file system, in memory, of at most `byteCount` bytes.
  init(onTmpfsOf byteCount: Int) throws {
    path = try Self.makeFolder()
    mount = try Mount(tmpfsOf: byteCount, at: path)
  }

  deinit {
    mount?.unmount()
    // A deinit cannot throw; remaining files are in a folder for temporary files.
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Returns the path of `name` in the folder.
  func path(_ name: String) -> String { path + "/" + name }

  /// Makes a tmpfs folder read-only.
  func makeReadOnly() throws { try mount?.remount(options: "ro") }

  /// Changes the size of a tmpfs folder.
  func resize(to byteCount: Int) throws { try mount?.remount(options: "size=\(byteCount)") }

  /// Returns the sorted names of the folder's content.
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
