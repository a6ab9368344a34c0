import Foundation

/// A file that the system swaps to, until the last reference goes.
final class SwapFile {
  let path: String

  /// Makes the file, of `byteCount` bytes without holes, and lets the system swap to it.
  init(at path: String, byteCount: Int) throws {
    self.path = path
    try Data(repeating: 0x5a, count: byteCount).write(to: URL(filePath: path))
    try Program.mustRun("chmod", "600", path)
    try Program.mustRun("mkswap", path)
    try Program.mustRun("swapon", path)
  }

  deinit {
    // Errors cannot be thrown from here; a program that is not there was not there for `swapon`.
    _ = try? Program.run(["swapoff", path])
  }
}
