import Foundation
import Testing

/// What a test may need of the machine; a test whose need is not met is reported as skipped.
extension Trait where Self == ConditionTrait {
  /// Unpacking the kernel-made images needs zstd.
  static var needsZstd: Self { .enabled("zstd is not installed") { Machine.has("zstd") } }

  /// Mounting and changing the user need root.
  static var needsRoot: Self { .enabled("not run as root") { geteuid() == 0 } }

  /// Block devices over files need root and the loop driver.
  static var needsLoopDevices: Self {
    .enabled("no loop devices, or not run as root") { Machine.hasLoopDevices }
  }

  /// A file system on a loop device needs mkfs.ext4 besides.
  static var needsExt4: Self {
    .enabled("no mkfs.ext4, no loop devices, or not run as root") {
      Machine.hasLoopDevices && Machine.has("mkfs.ext4")
    }
  }

  /// Swapping to a file needs root, and a file system that can.
  static var needsSwap: Self {
    .enabled("the system cannot be made to swap to a file here") { Machine.hasSwap }
  }

  /// Watching the system calls of the command.
  static var needsTracing: Self {
    .enabled("strace is not installed, or may not trace here") { SystemCallTrace.isPossible }
  }

  /// Listening where the command tells how it goes.
  static var needsPython: Self { .enabled("python3 is not installed") { Machine.has("python3") } }

  /// Checking the unit.
  static var needsSystemdAnalyze: Self {
    .enabled("systemd-analyze is not installed") { Machine.has("systemd-analyze") }
  }

  /// Checking pages of the manual.
  static var needsMandoc: Self { .enabled("mandoc is not installed") { Machine.has("mandoc") } }

  /// Looking at what a terminal shows.
  static var needsTmux: Self { .enabled("tmux is not installed") { Machine.has("tmux") } }

  /// Completing in each shell that there is a script for.
  static var needsShells: Self {
    .enabled("zsh or fish is not installed") { Machine.has("zsh") && Machine.has("fish") }
  }

  /// A mounted file system in memory.
  static var needsTmpfs: Self { .enabled("tmpfs cannot be mounted here") { Machine.hasTmpfs } }
}

/// What this machine has, found out once.
enum Machine {
  /// Whether the program `name` is in one of the usual folders.
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
