/// The layers beneath a device or file, as reported by the kernel: disks, device-mapper devices and
/// the backing files of loop devices.
package struct StorageStack: Equatable, Sendable {
  package enum Layer: Hashable, Sendable {
    case device(DeviceNumber)
    case file(device: DeviceNumber, inode: UInt64)
  }

  /// The device or file at the top of the stack.
  package let top: Layer
  /// The device or file at the top of the stack and, if it is a loop device, its backing file or
  /// device, and so on down.
  ///
  /// A loop device may map only part of its file, but two loop devices backed by the same file are
  /// assumed to overlap.
  private var wholes: Set<Layer> = []
  /// All layers of the stack, including the device or file at the top.
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

  /// Finds the layers beneath the file system that is on the given device.
  package init(fileSystemOn device: DeviceNumber) {
    top = .device(device)
    add(top)
  }

  /// Returns true if a write to the top of either stack may change bytes at the top of the other.
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
  /// Parses a device number of the form `major:minor`; returns nil if the text is missing or
  /// malformed.
  init?(text: String?) {
    guard let parts = text?.split(separator: ":"), parts.count == 2, let major = UInt32(parts[0]),
      let minor = UInt32(parts[1])
    else { return nil }
    self.init(major: major, minor: minor)
  }

  /// Unpacks a device number from the form in which the kernel passes it to user space.
  init(packed: UInt64) {
    major = UInt32(truncatingIfNeeded: packed >> 8 & 0xFFF | packed >> 32 & ~0xFFF)
    minor = UInt32(truncatingIfNeeded: packed & 0xFF | packed >> 12 & ~0xFF)
  }
}
