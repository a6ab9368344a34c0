import Foundation

/// A block device over a regular file, detached when the last reference goes.
final class LoopDevice {
  let path: String

  /// Attaches the file `backing`, or `range` of it, as a disk with partitions if
  /// `allowsPartitions`.
  init(
    backing: String, range: Range<Int>? = nil, sectorByteCount: Int = 512, readOnly: Bool = false,
    allowsPartitions: Bool = false
  ) throws {
    var arguments = ["losetup", "--find", "--show", "--sector-size", "\(sectorByteCount)"]
    if let range {
      arguments += ["--offset", "\(range.lowerBound)", "--sizelimit", "\(range.count)"]
    }
    if readOnly { arguments.append("--read-only") }
    if allowsPartitions { arguments.append("--partscan") }
    let attached = try Program.run(arguments + [backing])
    guard attached.exitStatus == 0 else {
      throw SupportError("losetup \(backing): \(attached.standardError)")
    }
    path = attached.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  deinit {
    // A deinit cannot throw; the system detaches a device still in use after its last user.
    _ = try? Program.run(["losetup", "--detach", path])
  }
}
