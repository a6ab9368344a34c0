import Foundation

/// A file that the system swaps to, until the last reference goes.
final class SwapFile {
  let path: String

  /// Creates the file, of `byteCount` bytes without holes, and lets the system swap to it.
  init(at path: String, byteCount: Int) throws {
    self.path = path
    try Data(repeating: 0x5a, count: byteCount).write(to: URL(filePath: path))
    try Program.mustRun("chmod", "600", path)
    try Program.mustRun("mkswap", path)
    try Program.mustRun("swapon", path)
  }

  deinit {
    // A deinit cannot throw; if `swapoff` were missing, `swapon` would have failed too.
    _ = try? Program.run(["swapoff", path])
  }
}
