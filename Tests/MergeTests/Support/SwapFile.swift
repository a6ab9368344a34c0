import Foundation

/// An active swap file, which is deactivated when the object is deallocated.
final class SwapFile {
  let path: String

  /// Creates a file of `byteCount` bytes without holes, and activates it as swap space.
  init(at path: String, byteCount: Int) throws {
    self.path = path
    try Data(repeating: 0x5a, count: byteCount).write(to: URL(filePath: path))
    try Program.mustRun("chmod", "600", path)
    try Program.mustRun("mkswap", path)
    try Program.mustRun("swapon", path)
  }

  deinit {
    // A deinit cannot throw. If `swapoff` were missing, so would `swapon` be.
    _ = try? Program.run(["swapoff", path])
  }
}
