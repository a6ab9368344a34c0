import Foundation

/// A mounted file system, unmounted when the object is deallocated.
final class Mount {
  let path: String
  private var isMounted = true

  /// Mounts a tmpfs of at most `byteCount` bytes.
  init(tmpfsOf byteCount: Int, at path: String) throws {
    self.path = path
    try Program.mustRun(
      "mount", "-t", "tmpfs", "-o", "size=\(byteCount),mode=0755", "tmpfs", path)
  }

  /// Mounts the file system stored on the block device `device`.
  init(device: String, at path: String, readOnly: Bool = false) throws {
    self.path = path
    try Program.mustRun("mount", "-o", readOnly ? "ro" : "rw", device, path)
  }

  deinit { unmount() }

  /// Changes the mount options of the file system.
  func remount(options: String) throws {
    try Program.mustRun("mount", "-o", "remount,\(options)", path)
  }

  /// Unmounts the file system immediately.
  ///
  /// A second call does nothing.
  func unmount() {
    guard isMounted else { return }
    isMounted = false
    // A lazy unmount succeeds even if a killed child process has not gone away yet.
    _ = try? Program.run(["umount", "-l", path])
  }
}
