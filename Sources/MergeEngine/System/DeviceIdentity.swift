/// The identity of a device or file, which survives a reboot and a change of path.
package struct DeviceIdentity: Equatable, Sendable {
  /// The unique name; empty if the device has nothing unique.
  package var name: String
  package var byteCount: UInt64

  package init(name: String, byteCount: UInt64) {
    self.name = name
    self.byteCount = byteCount
  }

  /// Finds the identity: of a regular file, inode and birth time; of a loop device, those of its
  /// file; of another block device, the first available of device-mapper UUID, md UUID, WWID and
  /// serial number.
  package init(_ file: OpenFile) {
    byteCount = file.byteCount
    switch file.kind {
    case .regularFile: name = Self.name(file.path, inode: file.inode, birth: file.birth)
    case .blockDevice: name = Self.name(file.deviceNumber)
    }
  }

  /// Returns true if both are the same, or one is a loop device over the whole file that is the
  /// other.
  package func hasSameBytes(as other: DeviceIdentity) -> Bool {
    if name == other.name { return true }
    let files = [name, other.name].map { $0.hasPrefix("loop-") ? String($0.dropFirst(5)) : $0 }
    // The name of a loop device that shows a part contains the part's offset.
    return files[0] == files[1] && files[0].hasPrefix("file-") && byteCount == other.byteCount
  }

  /// Returns the identity of a device or file or, without one, its place until the next boot.
  package static func nameOrPlace(of file: OpenFile) -> String {
    let name = DeviceIdentity(file).name
    return name.isEmpty ? place(of: file) : name
  }

  /// Returns the place of a device or file without an identity, which distinguishes it until the
  /// next boot.
  ///
  /// The place of one with an identity is empty. The kernel reuses device numbers within a boot,
  /// often under another path, so the path is part of the place.
  package static func place(of file: OpenFile) -> String {
    guard DeviceIdentity(file).name.isEmpty else { return "" }
    return switch file.kind {
    case .regularFile: "inode \(file.inode) on \(file.deviceNumber)"
    // A journal has little room for paths, and the end of a path is the distinctive part.
    case .blockDevice:
      "device \(file.deviceNumber) at \(FileSystem.absolute(file.path).suffix(200))"
    }
  }

  /// Returns the name of a file; empty without a birth time, since inode numbers are reused.
  ///
  /// FAT and exFAT assign another inode number at each mount.
  private static func name(_ path: String, inode: UInt64, birth: OpenFile.BirthTime?) -> String {
    guard let birth, !FileSystem.numbersFilesAnew(path) else { return "" }
    return "file-\(inode)-\(birth.seconds).\(birth.nanoseconds)"
  }

  /// Returns the unique name of a block device; empty if it has none.
  package static func name(_ number: DeviceNumber) -> String {
    let folder = "/sys/dev/block/\(number)"
    if FileSystem.exists(folder + "/partition"),
      let disk = DeviceNumber(text: FileSystem.text(of: folder + "/../dev"))
    {
      let whole = name(disk)
      guard !whole.isEmpty else { return "" }
      return "\(whole)-part-\(partitionName(folder))"
    }
    if let path = FileSystem.text(of: folder + "/loop/backing_file") {
      guard let status = try? FileStatus(path, role: "file"), isFile(status, under: number)
      else { return "" }
      // Two devices may show two parts of one file.
      let offset = FileSystem.text(of: folder + "/loop/offset") ?? ""
      let part = offset == "0" || offset.isEmpty ? "" : "-at-\(offset)"
      if status.isBlockDevice {
        let whole = name(status.deviceItself)
        return whole.isEmpty ? "" : "loop-" + whole + part
      }
      let file = name(path, inode: status.inode, birth: status.birth)
      return file.isEmpty ? "" : "loop-" + file + part
    }
    return name(inFolder: folder)
  }

  /// Returns false if the path leads to another file than the loop device's: a folder may be
  /// mounted over it.
  private static func isFile(_ file: FileStatus, under loop: DeviceNumber) -> Bool {
    guard case .shows(let view) = LoopDevice.state(of: loop) else { return true }
    return view.layer
      == (file.isBlockDevice
        ? .device(file.deviceItself) : .file(device: file.device, inode: file.inode))
  }

  /// Returns a readable name of a block device, which may not be unique: `vg-base`, `sda1`, or the
  /// name of the file under a loop device.
  package static func nameForPeople(_ number: DeviceNumber) -> String {
    let folder = "/sys/dev/block/\(number)"
    if let name = FileSystem.text(of: folder + "/dm/name") {
      let isLayer = FileSystem.text(of: folder + "/dm/uuid").map(isLayerOfLVM) ?? false
      return isLayer ? String(name.dropLast(5)) : name
    }
    let path =
      FileSystem.text(of: folder + "/loop/backing_file") ?? FileSystem.resolved(folder)
      ?? "device-\(number)"
    return path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Returns true for the lower layer of an LVM external origin, which has two layers of one
  /// length; either is the volume.
  private static func isLayerOfLVM(_ uuid: String) -> Bool {
    uuid.hasPrefix("LVM-") && uuid.hasSuffix("-real")
  }

  /// Returns the unique name from a device's attributes in sysfs.
  static func name(inFolder folder: String) -> String {
    for (kind, path) in [
      ("dm", "dm/uuid"), ("md", "md/uuid"), ("wwid", "wwid"), ("wwid", "device/wwid"),
      ("serial", "serial"), ("serial", "device/serial"),
    ] {
      if let text = FileSystem.text(of: "\(folder)/\(path)"), text.contains(where: isTelling) {
        return "\(kind)-\(isLayerOfLVM(text) ? String(text.dropLast(5)) : text)"
      }
    }
    return ""
  }

  /// Returns false for the characters of an empty number: an array without a superblock has a UUID
  /// of zeroes.
  private static func isTelling(_ character: Character) -> Bool {
    character != "0" && character != "-" && character != ":"
  }

  private static func partitionName(_ folder: String) -> String {
    let lines = FileSystem.text(of: folder + "/uevent")?.split(separator: "\n") ?? []
    if let uuid = lines.first(where: { $0.hasPrefix("PARTUUID=") }) {
      return String(uuid.dropFirst(9))
    }
    let number = FileSystem.text(of: folder + "/partition") ?? ""
    return "\(number)-\(FileSystem.text(of: folder + "/start") ?? "")"
  }
}
