/// The devices and mounted file systems that are on top of other devices, as reported by the kernel
/// at a particular moment.
struct StorageAbove {
  /// A mounted file system and one of its mount points.
  struct Mount: Equatable {
    var path: String
    /// The device number that `stat` reports for files in the file system.
    var device: DeviceNumber
    /// The block devices that contain the file system.
    var blockDevices: Set<DeviceNumber>
  }

  /// The file systems that this process can see, each with one of its mount points.
  let mounts: [Mount]
  /// The attached loop devices and their backing files or devices.
  let loops: [(device: DeviceNumber, layer: StorageStack.Layer)]

  static func now() -> StorageAbove {
    StorageAbove(
      mounts: mounts(
        FileSystem.firstBytes(of: "/proc/self/mountinfo", count: 1 << 26).map { PathText.text($0) }
          ?? ""),
      loops: LoopDevice.inUse.compactMap { loop in
        LoopDevice.backing(of: loop.number).map { (loop.number, $0) }
      })
  }

  func mounts(on device: DeviceNumber) -> [Mount] {
    mounts.filter { $0.blockDevices.contains(device) }
  }

  /// Returns the devices immediately on top of `device`: device-mapper and md devices, partitions
  /// and loop devices.
  func devices(on device: DeviceNumber) -> [DeviceNumber] {
    let folder = "/sys/dev/block/\(device)"
    let holders = FileSystem.names(in: folder + "/holders").map { "holders/\($0)" }
    let partitions = FileSystem.names(in: folder).filter {
      FileSystem.exists("\(folder)/\($0)/partition")
    }
    return (holders + partitions).compactMap {
      DeviceNumber(text: FileSystem.text(of: "\(folder)/\($0)/dev"))
    } + loops.filter { $0.layer == .device(device) }.map(\.device)
  }

  /// Returns the loop devices that are backed by files in a file system.
  func devices(onFilesOf fileSystem: DeviceNumber) -> [DeviceNumber] {
    loops.compactMap { loop in
      if case .file(fileSystem, _) = loop.layer { loop.device } else { nil }
    }
  }

  /// Parses the content of /proc/self/mountinfo, which has one line for each mount.
  ///
  /// For example: `36 35 98:0 / /mnt rw shared:1 - ext4 /dev/vda rw`.
  ///
  /// A file system that is mounted in several places is listed once, at the most recent mount point
  /// that is not hidden by a later mount.
  static func mounts(_ text: String) -> [Mount] {
    var mounts: [Mount] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count > 4, let device = DeviceNumber(text: String(words[2])) else { continue }
      // Optional fields precede the dash.
      let rest = words.drop { $0 != "-" }.dropFirst()
      let source = rest.dropFirst().first.map { unescaped($0) } ?? ""
      let mount = Mount(
        path: unescaped(words[4]), device: device,
        blockDevices: blockDevices(device, kind: rest.first ?? "", source: source))
      let below = mount.path == "/" ? "/" : mount.path + "/"
      mounts.removeAll { $0.path == mount.path || $0.path.hasPrefix(below) }
      if !mount.blockDevices.isEmpty { mounts.append(mount) }
    }
    var seen: Set<DeviceNumber> = []
    return mounts.reversed().filter { seen.insert($0.device).inserted }.reversed()
  }

  /// Returns the block devices that contain a file system: the one with the file system's device
  /// number or, if that is not the number of a block device, those named as its source.
  private static func blockDevices(
    _ number: DeviceNumber, kind: Substring, source: String
  ) -> Set<DeviceNumber> {
    guard number.major == 0 else { return [number] }
    // bcachefs separates its devices with colons. Anything that is not a path in /dev is not a
    // block device; it may be a network share, for example.
    let nodes = source.split(separator: ":").map(String.init).filter { $0.hasPrefix("/dev/") }
    let named = Set(nodes.compactMap(FileSystem.blockDevice(at:)))
    guard kind == "btrfs" else { return named }
    return named.union(
      FileSystem.names(in: "/sys/fs/btrfs").map(devicesOfBtrfs).filter {
        !$0.isDisjoint(with: named)
      }.joined())
  }

  private static func devicesOfBtrfs(_ name: String) -> Set<DeviceNumber> {
    let folder = "/sys/fs/btrfs/\(name)/devices"
    return Set(
      FileSystem.names(in: folder).compactMap {
        DeviceNumber(text: FileSystem.text(of: "\(folder)/\($0)/dev"))
      })
  }

  /// Decodes the escapes for spaces and similar characters: a backslash and three octal digits.
  private static func unescaped(_ word: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = PathText.bytes(of: String(word))[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3).map { Int($0) - 0x30 }
      if byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy((0..<8).contains) {
        bytes.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 * 8 + $1 }))
        rest.removeFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return PathText.text(bytes)
  }
}
