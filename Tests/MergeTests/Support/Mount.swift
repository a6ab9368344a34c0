import Foundation

/// A mounted file system, unmounted when the last reference goes.
final class Mount {
  let path: String
  private var isMounted = true

  /// Mounts a file system in memory of at most `byteCount` bytes.
  init(tmpfsOf byteCount: Int, at path: String) throws {
    self.path = path
    try Program.mustRun(
      "mount", "-t", "tmpfs", "-o", "size=\(byteCount),mode=0755", "tmpfs", path)
  }

  /// Mounts the file system on the block device `device`.
  init(device: String, at path: String, readOnly: Bool = false) throws {
    self.path = path
    try Program.mustRun("mount", "-o", readOnly ? "ro" : "rw", device, path)
  }

  deinit { unmount() }

  /// Changes the options of the mounted file system.
  func remount(options: String) throws {
    try Program.mustRun("mount", "-o", "remount,\(options)", path)
  }

  /// Unmounts now; a second call does nothing.
  func unmount() {
    guard isMounted else { return }
    isMounted = false
    // A lazy unmount succeeds even if a killed child lingers.
    _ = try? Program.run(["umount", "-l", path])
  }
}
