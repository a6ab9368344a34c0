import Foundation

/// A loop device backed by a regular file, detached when the object is deallocated.
final class LoopDevice {
  let path: String

  /// Attaches the file `backing`, or only `range` of that file, as a loop device.
  ///
  /// If `allowsPartitions` is true, the kernel scans the device for partitions.
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
    // A deinit cannot throw. If the device is still in use, the kernel detaches it on last close.
    _ = try? Program.run(["losetup", "--detach", path])
  }
}
