internal import CAIO
internal import Glibc

/// What lies under a device or file, as far as the kernel tells: partitions, device-mapper layers and
/// the files of loop devices.
package struct StorageStack: Equatable, Sendable {
  package enum Layer: Hashable, Sendable {
    case device(DeviceNumber)
    case file(device: DeviceNumber, inode: UInt64)
  }

  /// The device or file itself.
  package let top: Layer
  /// The device or file itself, and what lies under it if it is a loop device.
  ///
  /// A loop device may show a part only; two of them over one file are taken to overlap all the same.
  private var wholes: Set<Layer> = []
  /// Everything that its bytes are in, itself among them.
  package private(set) var layers: Set<Layer> = []

  package init(_ file: OpenFile) {
    switch file.kind {
    case .regularFile: top = .file(device: file.deviceNumber, inode: file.inode)
    case .blockDevice: top = .device(file.deviceNumber)
    }
    addWholes()
    add(top)
  }

  package init(device: DeviceNumber) {
    top = .device(device)
    addWholes()
    add(top)
  }

  private mutating func addWholes() {
    var whole = top
    while wholes.insert(whole).inserted, case .device(let number) = whole,
      let backing = LoopDevice.backing(of: number)
    {
      whole = backing
    }
  }

  /// What the file system with that device number is on.
  package init(fileSystemOn device: DeviceNumber) {
    top = .device(device)
    add(top)
  }

  /// Whether writing to one would change bytes of the other.
  package func overlaps(_ other: StorageStack) -> Bool {
    !layers.isDisjoint(with: other.wholes) || !other.layers.isDisjoint(with: wholes)
  }

  private mutating func add(_ layer: Layer) {
    guard layers.insert(layer).inserted, case .device(let number) = layer else { return }
    let folder = "/sys/dev/block/\(number)"
    for name in FileSystem.names(in: folder + "/slaves") {
      if let slave = DeviceNumber(text: FileSystem.text(of: "\(folder)/slaves/\(name)/dev")) {
        add(.device(slave))
      }
    }
    if FileSystem.exists(folder + "/partition"),
      let disk = DeviceNumber(text: FileSystem.text(of: folder + "/../dev"))
    {
      add(.device(disk))
    }
    if let backing = LoopDevice.backing(of: number) { add(backing) }
  }
}

extension DeviceNumber {
  /// From `major:minor`.
  init?(text: String?) {
    guard let parts = text?.split(separator: ":"), parts.count == 2, let major = UInt32(parts[0]),
      let minor = UInt32(parts[1])
    else { return nil }
    self.init(major: major, minor: minor)
  }

  /// From the kernel's packed form.
  init(packed: UInt64) {
    major = UInt32(truncatingIfNeeded: packed >> 8 & 0xFFF | packed >> 32 & ~0xFFF)
    minor = UInt32(truncatingIfNeeded: packed & 0xFF | packed >> 12 & ~0xFF)
  }
}

/// Loop devices and the files under them.
package enum LoopDevice {
  /// The file under a loop device; nil for any other device.
  static func backing(of number: DeviceNumber) -> StorageStack.Layer? {
    guard let path = FileSystem.text(of: "/sys/dev/block/\(number)/loop/backing_file") else {
      return nil
    }
    if let node = FileSystem.node(of: number) {
      let descriptor = unsafe open(node, O_RDONLY | O_CLOEXEC)
      if descriptor >= 0 {
        let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var blockDevice: UInt64 = 0
        // SAFETY: the call writes the three numbers given.
        if unsafe caio_loop_backing(owner.rawValue, &device, &inode, &blockDevice) == 0 {
          if blockDevice != 0 { return .device(DeviceNumber(packed: blockDevice)) }
          return .file(device: DeviceNumber(packed: device), inode: inode)
        }
      }
    }
    // No device node to ask: the path that sysfs tells.
    guard let status = try? FileStatus(path, role: "file") else { return nil }
    if status.isBlockDevice { return .device(status.deviceItself) }
    return .file(device: status.device, inode: status.inode)
  }

  /// Returns whether a device is a loop device over a regular file.
  static func isFile(under number: DeviceNumber) -> Bool {
    switch backing(of: number) {
    case .file: true
    case .device(let below): isFile(under: below)
    case nil: false
    }
  }

  /// Returns what a loop device shows from the first byte to the last; nil where it shows a part, or
  /// is no loop device.
  static func whole(under number: DeviceNumber) -> StorageStack.Layer? {
    let folder = "/sys/dev/block/\(number)/loop"
    guard FileSystem.text(of: folder + "/offset") == "0", let layer = backing(of: number),
      let byteCount = FileSystem.byteCount(of: number)
    else { return nil }
    switch layer {
    case .device(let below):
      return FileSystem.byteCount(of: below) == byteCount ? layer : nil
    case .file:
      guard let path = FileSystem.text(of: folder + "/backing_file"),
        let status = try? FileStatus(path, role: "file"), status.byteCount == byteCount,
        layer == .file(device: status.device, inode: status.inode)
      else { return nil }
      return layer
    }
  }

  /// The loop device that lies over a file; nil if none does.
  package static func over(_ file: OpenFile) -> String? {
    let layer = StorageStack.Layer.file(device: file.deviceNumber, inode: file.inode)
    return FileSystem.names(in: "/sys/block").first { name in
      // Few of those that have been made are in use.
      guard name.hasPrefix("loop"), FileSystem.exists("/sys/block/\(name)/loop"),
        let number = DeviceNumber(text: FileSystem.text(of: "/sys/block/\(name)/dev"))
      else { return false }
      return backing(of: number) == layer
    }.map { "/dev/\($0)" }
  }

  /// - Throws: `error` of the file and the loop device, where one lies over the file.
  package static func checkNone(
    over file: OpenFile, _ error: (_ path: String, _ loop: String) -> MergeError
  ) throws(MergeError) {
    guard file.kind == .regularFile, let loop = over(file) else { return }
    throw error(file.path, loop)
  }
}
