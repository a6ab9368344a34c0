/// Data written to a device that may still be in memory: in the caches of mounted file systems on
/// top of the device, of the devices in between, and of the device itself.
struct CachedWrites {
  /// A file system or device with its own cache.
  enum Cache: Hashable {
    /// A file system, identified by one of its mount points.
    case fileSystem(String)
    /// A device, identified by the path of its node.
    case device(String)
  }

  /// The time limit, in seconds, for writing back all caches together; a machine with a lot of
  /// memory may have gigabytes to write.
  static let secondsMax = 60

  /// The caches in the order in which to write them back: upper ones first, since they write to
  /// lower ones.
  private(set) var caches: [Cache] = []

  /// Finds the caches that may hold data written to a device.
  ///
  /// This does not find file systems that are mounted only in other mount namespaces, or whose
  /// device the kernel does not report.
  init(above device: DeviceNumber) {
    self.init(above: device, in: .now())
  }

  init(above device: DeviceNumber, in storage: StorageAbove) {
    var seen: Set<DeviceNumber> = []
    add(device, storage, &seen)
  }

  private mutating func add(
    _ device: DeviceNumber, _ storage: StorageAbove, _ seen: inout Set<DeviceNumber>
  ) {
    guard seen.insert(device).inserted else { return }
    for above in storage.devices(on: device) { add(above, storage, &seen) }
    for mount in storage.mounts(on: device) where !caches.contains(.fileSystem(mount.path)) {
      // Loop devices backed by files in this file system.
      for above in storage.devices(onFilesOf: mount.device) { add(above, storage, &seen) }
      caches.append(.fileSystem(mount.path))
    }
    if let node = FileSystem.node(of: device) { caches.append(.device(node)) }
  }

  /// Writes the data in all caches to their devices.
  ///
  /// The work is done by separate `sync` processes: a system call that is waiting for an
  /// unresponsive device cannot be interrupted, and a thread stuck in one would keep this process
  /// from exiting. Correctness does not depend on these writes: without them, the snapshot is what
  /// a power failure would leave, without the cached data.
  ///
  /// - Returns: The caches that may still contain unwritten data.
  func writeBack(clock: Clock = ThisSystem.clock) -> [CacheFailure] {
    let deadline = clock.now() + .seconds(Self.secondsMax)
    var failures: [CacheFailure] = []
    for (index, command) in commands.enumerated() {
      let end = Program.run(
        command.arguments, answerTimeMax: max(deadline - clock.now(), .zero), clock: clock)
      switch end {
      case .succeeded: continue
      case .failed: failures.append(CacheFailure(paths: command.paths, hasAnswered: true))
      case .noAnswer:
        // The lower caches can be written only after this one.
        let paths = commands[index...].flatMap(\.paths)
        return failures + [CacheFailure(paths: paths, hasAnswered: false)]
      }
    }
    return failures
  }

  private struct Command {
    var isOfFileSystems: Bool
    var paths: [String]

    var arguments: [String] { ["sync"] + (isOfFileSystems ? ["-f"] : []) + paths }
  }

  /// The `sync` commands to run, one for each run of consecutive caches of the same kind.
  private var commands: [Command] {
    caches.reduce(into: []) { commands, cache in
      let (isOfFileSystem, path) =
        switch cache {
        case .fileSystem(let path): (true, path)
        case .device(let node): (false, node)
        }
      if let last = commands.last, last.isOfFileSystems == isOfFileSystem {
        commands[commands.count - 1].paths.append(path)
      } else {
        commands.append(Command(isOfFileSystems: isOfFileSystem, paths: [path]))
      }
    }
  }
}

/// Caches that could not be written to their devices.
package struct CacheFailure: Equatable, Sendable {
  /// The mount points of the file systems and the node paths of the devices.
  package var paths: [String]
  /// True if `sync` failed; false if it did not finish in time.
  package var hasAnswered: Bool

  package init(paths: [String], hasAnswered: Bool) {
    self.paths = paths
    self.hasAnswered = hasAnswered
  }
}
