/// What programs have written to a device and the system still has in memory: in the caches of the mounted file systems
/// that lie on it, of the devices between, and of the device itself.
struct CachedWrites {
  /// Something with a cache of its own.
  enum Cache: Hashable {
    /// A file system, by a path that it is mounted at.
    case fileSystem(String)
    /// A device, by its node.
    case device(String)
  }

  /// How long all of them may take; a machine with much memory can have some gigabytes to write.
  static let secondsMax = 60

  /// In the order in which they are written: what lies above comes first, since it writes to what lies below.
  private(set) var caches: [Cache] = []

  /// Looks at what lies on a device.
  ///
  /// File systems that are mounted in other mount namespaces only are not seen. Nor are those whose device the kernel does
  /// not tell of.
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
      // Devices over its files.
      for above in storage.devices(onFilesOf: mount.device) { add(above, storage, &seen) }
      caches.append(.fileSystem(mount.path))
    }
    if let node = FileSystem.node(of: device) { caches.append(.device(node)) }
  }

  /// Writes all of them.
  ///
  /// It is done by processes of `sync`, since a call that waits for a device that does not answer cannot be ended, and
  /// a thread in such a call would keep this process from ending too. Nothing rests on what they write: the snapshot
  /// is as after a power cut in any case, without what was still cached.
  ///
  /// - Returns: those that may still have something.
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
        // What lies below is behind it.
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

  /// One for each run of caches of a kind.
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
  /// Where the file systems are mounted, and nodes of devices.
  package var paths: [String]
  /// Whether the system has said that it failed; if not, it did not answer in time.
  package var hasAnswered: Bool

  package init(paths: [String], hasAnswered: Bool) {
    self.paths = paths
    self.hasAnswered = hasAnswered
  }
}
