/// The range of bytes, in an underlying file or disk, that a file or device maps once loop devices
/// and partitions are resolved.
///
/// Extents overlap if two paths lead to the same bytes, as for two hard links, a loop device and
/// its file, or a partition and its disk. A device-mapper device is resolved only if it maps a
/// single part of another device.
///
/// For example, if a loop device maps a file from byte 4096 on, a partition that starts at sector
/// 2048 of the loop device begins at byte 1,052,672 of the file.
package struct StorageExtent: Equatable {
  /// The part of another device that a linear device-mapper device maps, starting at `byteOffset`.
  package struct LinearPart: Sendable {
    var device: DeviceNumber
    var byteOffset: UInt64

    package init(of device: DeviceNumber, from byteOffset: UInt64) {
      self.device = device
      self.byteOffset = byteOffset
    }
  }

  /// A dictionary from the number of each linear device to the part of another device that it maps.
  package typealias LinearParts = [DeviceNumber: LinearPart]

  /// The underlying file or disk that contains the bytes.
  private(set) var layer: StorageStack.Layer
  /// The range of bytes in the underlying file or disk; `UInt64.max` as its end means that the
  /// range extends to the end of the file or disk.
  private(set) var range = ByteRange(start: 0, end: .max)
  /// A path of the underlying file; nil if there is none, or if its path is unknown.
  ///
  /// The path of a file under a loop device comes from sysfs, and may lead to a different file.
  private(set) var path: String?
  /// All block devices that were visited while resolving a device to the underlying file or disk,
  /// including the device itself.
  private(set) var devices: Set<DeviceNumber> = []

  init(
    _ file: OpenFile, linearParts: LinearParts = [:], clock: Clock = ThisSystem.clock
  ) {
    switch file.kind {
    case .regularFile:
      layer = .file(device: file.deviceNumber, inode: file.inode)
      path = file.path
    case .blockDevice:
      layer = .device(file.deviceNumber)
      descend(linearParts, clock)
    }
  }

  init(device: DeviceNumber, linearParts: LinearParts = [:], clock: Clock = ThisSystem.clock) {
    layer = .device(device)
    descend(linearParts, clock)
  }

  private mutating func descend(_ linearParts: LinearParts, _ clock: Clock) {
    while case .device(let number) = layer, devices.insert(number).inserted {
      let folder = "/sys/dev/block/\(number)"
      if FileSystem.exists(folder + "/partition") {
        guard let disk = DeviceNumber(text: FileSystem.text(of: folder + "/../dev")),
          let start = FileSystem.text(of: folder + "/start").flatMap({ UInt64($0) })
        else { return }
        enter(.device(disk), at: start &* 512, byteCount: FileSystem.byteCount(of: number))
      } else if let part = linearParts[number] {
        enter(
          .device(part.device), at: part.byteOffset, byteCount: FileSystem.byteCount(of: number))
      } else if case .shows(let view) = LoopDevice.state(of: number, clock: clock) {
        if case .file = view.layer { path = LoopDevice.backingPath(of: number) }
        enter(view.layer, at: view.byteOffset, byteCount: view.byteCount)
      }
    }
  }

  private mutating func enter(
    _ below: StorageStack.Layer, at byteOffset: UInt64, byteCount: UInt64?
  ) {
    func place(_ offset: UInt64) -> UInt64 {
      let (sum, overflow) = byteOffset.addingReportingOverflow(offset)
      return overflow ? .max : sum
    }
    let end = min(place(range.end), place(byteCount ?? .max))
    range = ByteRange(start: min(place(range.start), end), end: end)
    layer = below
  }

  /// Returns true if the two extents have bytes in common.
  func overlaps(_ other: StorageExtent) -> Bool {
    layer == other.layer && range.overlaps(other.range)
  }

  /// Opens the underlying file; returns nil if the extent is on a disk, or if the file is no longer
  /// at its path.
  func openFile() -> OpenFile? {
    guard case .file(let device, let inode) = layer, let path,
      let file = try? OpenFile(path, role: "origin", access: .readOnly, direct: false),
      file.kind == .regularFile, file.deviceNumber == device, file.inode == inode
    else { return nil }
    return file
  }
}
