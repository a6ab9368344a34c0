/// An identity of a device or file that stays the same across reboots and path changes.
package struct DeviceIdentity: Equatable, Sendable {
  /// The unique name; empty if the device or file has no unique property.
  package var name: String
  package var byteCount: UInt64

  package init(name: String, byteCount: UInt64) {
    self.name = name
    self.byteCount = byteCount
  }

  /// Determines the identity: for a regular file, its inode number and birth time; for a loop
  /// device, the identity of its backing file; for any other block device, the first available of
  /// its device-mapper UUID, md UUID, WWID and serial number.
  package init(_ file: OpenFile) {
    byteCount = file.byteCount
    switch file.kind {
    case .regularFile: name = Self.name(file.path, inode: file.inode, birth: file.birth)
    case .blockDevice: name = Self.name(file.deviceNumber)
    }
  }

  /// Returns true if both identities are the same, or if one is a file and the other is a loop
  /// device over that whole file.
  package func hasSameBytes(as other: DeviceIdentity) -> Bool {
    if name == other.name { return true }
    let files = [name, other.name].map { $0.hasPrefix("loop-") ? String($0.dropFirst(5)) : $0 }
    // The name of a loop device that maps only part of a file contains that part's offset.
    return files[0] == files[1] && files[0].hasPrefix("file-") && byteCount == other.byteCount
  }

  /// Returns the unique name of a device or file or, if there is none, a description of its
  /// location that is valid only until the next boot.
  package static func nameOrPlace(of file: OpenFile) -> String {
    let name = DeviceIdentity(file).name
    return name.isEmpty ? place(of: file) : name
  }

  /// Returns a description of the location of a device or file without a unique name, which
  /// distinguishes it from others until the next boot.
  ///
  /// The result is empty if the device or file has a unique name. The kernel reuses device numbers
  /// within a boot, often under another path, so the path is part of the description.
  package static func place(of file: OpenFile) -> String {
    guard DeviceIdentity(file).name.isEmpty else { return "" }
    return switch file.kind {
    case .regularFile: "inode \(file.inode) on \(file.deviceNumber)"
    // A journal has little room for paths, and paths differ mostly at their ends.
    case .blockDevice:
      "device \(file.deviceNumber) at \(FileSystem.absolute(file.path).suffix(200))"
    }
  }

  /// Returns the unique name of a file; empty if the file has no birth time, since inode numbers
  /// are reused.
  ///
  /// The name is also empty on FAT and exFAT, which assign new inode numbers at each mount.
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
      // Two loop devices may map different parts of the same file.
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

  /// Returns false if `file` is not the backing file of the loop device: something may be mounted
  /// over the backing file's path.
  private static func isFile(_ file: FileStatus, under loop: DeviceNumber) -> Bool {
    guard case .shows(let view) = LoopDevice.state(of: loop) else { return true }
    return view.layer
      == (file.isBlockDevice
        ? .device(file.deviceItself) : .file(device: file.device, inode: file.inode))
  }

  /// Returns a human-readable name for a block device, which may not be unique: `vg-base`, `sda1`,
  /// or, for a loop device, the name of its backing file.
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

  /// Returns true for the device-mapper UUID of the lower layer of an LVM external origin.
  ///
  /// Such an origin has two layers of the same size, and each of them represents the whole volume.
  private static func isLayerOfLVM(_ uuid: String) -> Bool {
    uuid.hasPrefix("LVM-") && uuid.hasSuffix("-real")
  }

  /// Returns a device's unique name, taken from its attributes in sysfs; empty if there is none.
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

  /// Returns false for characters that occur in an all-zero ID: an md array without a superblock
  /// has a UUID of zeros.
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
