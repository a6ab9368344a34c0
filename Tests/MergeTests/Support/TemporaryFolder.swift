import Foundation

/// A temporary folder for one test, deleted along with its contents when the object is deallocated.
final class TemporaryFolder {
  /// The parent of all temporary folders: TMPDIR if set, otherwise `/var/tmp`, which is on disk.
  static var parent: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp" }

  let path: String
  private let mount: Mount?

  /// Creates a folder in ``parent`` that every user can read.
  init() throws {
    path = try Self.makeFolder()
    mount = nil
  }

  /// Creates a folder and mounts a tmpfs of at most `byteCount` bytes on it.
  init(onTmpfsOf byteCount: Int) throws {
    path = try Self.makeFolder()
    mount = try Mount(tmpfsOf: byteCount, at: path)
  }

  deinit {
    mount?.unmount()
    // A deinit cannot throw. Any files left behind are in a folder for temporary files.
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Returns the full path of the file `name` in this folder.
  func path(_ name: String) -> String { path + "/" + name }

  /// Makes the folder read-only if it is a tmpfs.
  func makeReadOnly() throws { try mount?.remount(options: "ro") }

  /// Changes the size limit of the folder if it is a tmpfs.
  func resize(to byteCount: Int) throws { try mount?.remount(options: "size=\(byteCount)") }

  /// Returns the sorted names of the files in the folder.
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
