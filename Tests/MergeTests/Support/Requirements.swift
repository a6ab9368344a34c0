import Foundation
import Testing

/// Machine requirements of tests. A test is skipped if one of its requirements is not met.
extension Trait where Self == ConditionTrait {
  /// Requires zstd, which unpacks the images made by the kernel.
  static var needsZstd: Self { .enabled("zstd is not installed") { Machine.has("zstd") } }

  /// Requires root, which is needed to mount file systems and to switch users.
  static var needsRoot: Self { .enabled("not run as root") { geteuid() == 0 } }

  /// Requires root and the loop driver, which are needed to create block devices backed by files.
  static var needsLoopDevices: Self {
    .enabled("no loop devices, or not run as root") { Machine.hasLoopDevices }
  }

  /// Requires loop devices and mkfs.ext4, which creates a file system on such a device.
  static var needsExt4: Self {
    .enabled("no mkfs.ext4, no loop devices, or not run as root") {
      Machine.hasLoopDevices && Machine.has("mkfs.ext4")
    }
  }

  /// Requires root and a file system that supports swap files.
  static var needsSwap: Self {
    .enabled("the system cannot be made to swap to a file here") { Machine.hasSwap }
  }

  /// Requires strace, which records the system calls of the command.
  static var needsTracing: Self {
    .enabled("strace is not installed, or may not trace here") { SystemCallTrace.isPossible }
  }

  /// Requires python3, which runs helper scripts such as a receiver for service notifications.
  static var needsPython: Self { .enabled("python3 is not installed") { Machine.has("python3") } }

  /// Requires systemd-analyze, which checks the systemd unit file.
  static var needsSystemdAnalyze: Self {
    .enabled("systemd-analyze is not installed") { Machine.has("systemd-analyze") }
  }

  /// Requires mandoc, which checks the manual pages.
  static var needsMandoc: Self { .enabled("mandoc is not installed") { Machine.has("mandoc") } }

  /// Requires tmux, which lets a test read the screen of a terminal.
  static var needsTmux: Self { .enabled("tmux is not installed") { Machine.has("tmux") } }

  /// Requires the shells whose completion scripts are tested.
  static var needsShells: Self {
    .enabled("zsh or fish is not installed") { Machine.has("zsh") && Machine.has("fish") }
  }

  /// Requires the ability to mount a tmpfs.
  static var needsTmpfs: Self { .enabled("tmpfs cannot be mounted here") { Machine.hasTmpfs } }
}

/// The capabilities of the machine that runs the tests.
enum Machine {
  /// Returns true if the program `name` is in PATH, `/usr/sbin`, or `/sbin`.
  static func has(_ name: String) -> Bool {
    let searchPath = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let folders = searchPath.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
    return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
  }

  static let hasLoopDevices: Bool = {
    guard geteuid() == 0, has("losetup") else { return false }
    do {
      let folder = try TemporaryFolder()
      let backing = folder.path("probe")
      try Data(count: 1 << 20).write(to: URL(filePath: backing))
      _ = try LoopDevice(backing: backing)
      return true
    } catch {
      return false
    }
  }()

  static let hasSwap: Bool = {
    guard geteuid() == 0, has("mkswap"), has("swapon") else { return false }
    do {
      let folder = try TemporaryFolder()
      _ = try SwapFile(at: folder.path("probe"), byteCount: 1 << 20)
      return true
    } catch {
      return false
    }
  }()

  static let hasTmpfs: Bool = {
    do {
      _ = try TemporaryFolder(onTmpfsOf: 1 << 16)
      return true
    } catch {
      return false
    }
  }()
}
