/// Written data of a device that is still in memory: in the caches of the mounted file systems on
/// top of the device, of the devices between, and of the device itself.
struct CachedWrites {
  /// A file system or device with its own cache.
  enum Cache: Hashable {
    /// A file system, by one of its mount points.
    case fileSystem(String)
    /// A device, by its node.
    case device(String)
  }

  /// The time limit for all caches; a machine with much memory may have gigabytes to write.
  static let secondsMax = 60

  /// The caches in the order of writing: upper ones first, since they write to lower ones.
  private(set) var caches: [Cache] = []

  /// Finds the caches on top of a device.
  ///
  /// File systems that are mounted only in other mount namespaces are not found, nor are those
  /// whose device the kernel does not report.
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
      // Loop devices over files of the file system.
      for above in storage.devices(onFilesOf: mount.device) { add(above, storage, &seen) }
      caches.append(.fileSystem(mount.path))
    }
    if let node = FileSystem.node(of: device) { caches.append(.device(node)) }
  }

  /// Writes all caches to their devices.
  ///
  /// Processes of `sync` do the work: a call that waits for an unresponsive device cannot be ended,
  /// and a thread in such a call would keep this process from ending. Correctness does not depend
  /// on the writes: without them, the snapshot is as after a power cut, without the cached data.
  ///
  /// - Returns: The caches that may still have unwritten data.
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
        // The lower caches wait for this one.
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

  /// One command for each sequence of caches of one kind.
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
  /// Mount points of file systems, and nodes of devices.
  package var paths: [String]
  /// True if the system reported a failure; false if it did not answer in time.
  package var hasAnswered: Bool

  package init(paths: [String], hasAnswered: Bool) {
    self.paths = paths
    self.hasAnswered = hasAnswered
  }
}
