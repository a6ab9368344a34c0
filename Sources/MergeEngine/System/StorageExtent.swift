/// The bytes of a file or disk that a file or device shows, below loop devices and partitions.
///
/// Two names of the same bytes have extents that overlap: hard links, a loop device and its file, a
/// partition and its disk. Of device-mapper's devices, only those that show one part of another
/// device are resolved.
///
/// A partition from sector 2048 on, of a loop device that shows a file from byte 4096 on, begins at
/// byte 1,052,672 of the file.
package struct StorageExtent: Equatable {
  /// The backing of a linear device of device-mapper: another device from `byteOffset` on.
  package struct LinearPart: Sendable {
    var device: DeviceNumber
    var byteOffset: UInt64

    package init(of device: DeviceNumber, from byteOffset: UInt64) {
      self.device = device
      self.byteOffset = byteOffset
    }
  }

  /// Linear devices by number.
  package typealias LinearParts = [DeviceNumber: LinearPart]

  /// The file or disk.
  private(set) var layer: StorageStack.Layer
  /// The bytes in the layer; a range to the end of the layer, wherever that is, ends at
  /// `UInt64.max`.
  private(set) var range = ByteRange(start: 0, end: .max)
  /// A path of the file, if the layer is a file.
  ///
  /// For a file under a loop device, the path is from sysfs and may lead elsewhere.
  private(set) var path: String?
  /// The devices between the top and the layer, the top included.
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

  /// Returns true if both have bytes in common.
  func overlaps(_ other: StorageExtent) -> Bool {
    layer == other.layer && range.overlaps(other.range)
  }

  /// Opens the file; returns nil for a disk, and for a file that the path does not lead to.
  func openFile() -> OpenFile? {
    guard case .file(let device, let inode) = layer, let path,
      let file = try? OpenFile(path, role: "origin", access: .readOnly, direct: false),
      file.kind == .regularFile, file.deviceNumber == device, file.inode == inode
    else { return nil }
    return file
  }
}
