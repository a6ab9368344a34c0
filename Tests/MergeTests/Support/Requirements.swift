import Foundation
import Testing

/// Requirements of tests on the machine; a test whose requirement is not met is skipped.
extension Trait where Self == ConditionTrait {
  /// Unpacking the kernel-made images needs zstd.
  static var needsZstd: Self { .enabled("zstd is not installed") { Machine.has("zstd") } }

  /// Mounting and changing the user need root.
  static var needsRoot: Self { .enabled("not run as root") { geteuid() == 0 } }

  /// Block devices over files need root and the loop driver.
  static var needsLoopDevices: Self {
    .enabled("no loop devices, or not run as root") { Machine.hasLoopDevices }
  }

  /// A file system on a loop device also needs mkfs.ext4.
  static var needsExt4: Self {
    .enabled("no mkfs.ext4, no loop devices, or not run as root") {
      Machine.hasLoopDevices && Machine.has("mkfs.ext4")
    }
  }

  /// Swapping to a file needs root and a file system that supports it.
  static var needsSwap: Self {
    .enabled("the system cannot be made to swap to a file here") { Machine.hasSwap }
  }

  /// Watching the command's system calls needs strace.
  static var needsTracing: Self {
    .enabled("strace is not installed, or may not trace here") { SystemCallTrace.isPossible }
  }

  /// Helper scripts, such as a receiver of service notifications, need python3.
  static var needsPython: Self { .enabled("python3 is not installed") { Machine.has("python3") } }

  /// Checking the unit needs systemd-analyze.
  static var needsSystemdAnalyze: Self {
    .enabled("systemd-analyze is not installed") { Machine.has("systemd-analyze") }
  }

  /// Checking the manual pages needs mandoc.
  static var needsMandoc: Self { .enabled("mandoc is not installed") { Machine.has("mandoc") } }

  /// Reading a terminal's screen needs tmux.
  static var needsTmux: Self { .enabled("tmux is not installed") { Machine.has("tmux") } }

  /// Testing each completion script needs its shell.
  static var needsShells: Self {
    .enabled("zsh or fish is not installed") { Machine.has("zsh") && Machine.has("fish") }
  }

  /// Mounting a file system in memory needs tmpfs.
  static var needsTmpfs: Self { .enabled("tmpfs cannot be mounted here") { Machine.hasTmpfs } }
}

/// The machine's capabilities, each determined once.
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
