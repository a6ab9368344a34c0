internal import CAIO
internal import Glibc
package import SystemPackage

/// Names, folders and small files: what is done with the file system besides moving blocks.
package enum FileSystem {
  /// The kinds of file system on which nothing survives a reboot.
  package enum Permanence: Sendable { case lasting, memory, overlay }

  /// The whole text of a small file such as those in sysfs, without white space at its ends; nil where
  /// there is none.
  package static func text(of path: String) -> String? {
    guard let bytes = firstBytes(of: path, count: 1 << 20) else { return nil }
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) || $0 == 0 }
    let text = bytes.drop(while: isSpace)
    return PathText.text(text.reversed().drop(while: isSpace).reversed())
  }

  /// The first bytes of a file, as many as it has up to `count`; nil where there is none.
  package static func firstBytes(of path: String, count: Int) -> [UInt8]? {
    let descriptor = unsafe open(path.systemPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: min(count, 4096))
    while bytes.count < count {
      // SAFETY: the call writes at most the buffer's own count.
      let read = unsafe buffer.withUnsafeMutableBytes {
        unsafe Glibc::read(owner.rawValue, $0.baseAddress, min($0.count, count - bytes.count))
      }
      guard read > 0 else { break }
      bytes += buffer[..<read]
    }
    return bytes
  }

  /// The names in a folder, sorted; none where it cannot be read.
  package static func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder.systemPath) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      // SAFETY: the entry is valid until the next call, and its name ends with a zero.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe text(ofSystemPath: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The node that the kernel names for a block device.
  package static func node(of device: DeviceNumber) -> String? {
    text(of: "/sys/dev/block/\(device)/uevent")?.split(separator: "\n")
      .first { $0.hasPrefix("DEVNAME=") }.map { "/dev/" + $0.dropFirst(8) }
  }

  /// The bytes of a block device, as the kernel tells; nil where there is no such device.
  static func byteCount(of device: DeviceNumber) -> UInt64? {
    text(of: "/sys/dev/block/\(device)/size").flatMap { UInt64($0) }.map { $0 &* 512 }
  }

  /// The block device that a node is of; nil for anything else.
  package static func blockDevice(at path: String) -> DeviceNumber? {
    guard let status = try? FileStatus(path, role: "device"), status.isBlockDevice else {
      return nil
    }
    return status.deviceItself
  }

  package static func exists(_ path: String) -> Bool {
    // SAFETY: the path ends with a zero, as Swift hands it over.
    unsafe access(path.systemPath, F_OK) == 0
  }

  /// Whether there is something of that name, be it a link that leads nowhere.
  package static func isNamed(_ path: String) -> Bool { linkStatusErrno(path) == nil }

  /// Whether there is nothing of that name, and not only nothing that may be looked at.
  package static func isMissing(_ path: String) -> Bool {
    linkStatusErrno(path) == .noSuchFileOrDirectory
  }

  private static func linkStatusErrno(_ path: String) -> Errno? {
    var status = stat()
    // SAFETY: the call fills the structure given.
    return unsafe lstat(path.systemPath, &status) == 0 ? nil : Errno.current
  }

  /// The path without links, `.` and `..`; nil where it leads nowhere.
  package static func resolved(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path.systemPath, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe text(ofSystemPath: resolved)
  }

  /// The path from the root on, its links as they are: a name such as /dev/mapper/x stays that name.
  package static func absolute(_ path: String) -> String {
    guard path.utf8.first != UInt8(ascii: "/"), let folder = resolved(".") else { return path }
    return FilePath(folder).appending(path).lexicallyNormalized().string
  }

  /// Returns the text of a zero-terminated path from the system.
  package static func text(ofSystemPath path: UnsafePointer<CChar>) -> String {
    // SAFETY: the bytes up to the zero are read.
    unsafe PathText.text(UnsafeRawBufferPointer(start: path, count: strlen(path)))
  }

  /// A text as it can stand in a file's name: another one for each text.
  ///
  /// A byte that is neither a letter, a digit, `-`, `.` nor `_` becomes `%` and two digits: `a b` becomes `a%20b`. Of a
  /// long name the end gives way to a checksum of all of it.
  package static func plainName(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var name: [UInt8] = []
    for byte in PathText.bytes(of: text) {
      if isPlain(byte) {
        name.append(byte)
      } else {
        name += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    guard name.count > plainNameByteCountMax else { return String(decoding: name, as: UTF8.self) }
    var sum = CRC64()
    sum.update(RawSpan(_elements: name.span))
    return String(decoding: name[..<plainNameByteCountMax], as: UTF8.self)
      + "%." + String(sum.value, radix: 16)
  }

  /// With a suffix and the affixes of temporary files, a name has 255 bytes at most.
  private static let plainNameByteCountMax = 160

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// The folder that a path's last part is in.
  package static func folder(of path: String) -> String {
    let parent = FilePath(path).removingLastComponent().string
    return parent.isEmpty ? "." : parent
  }

  /// The folder at `path`, or the first above it that is there.
  package static func nearestFolder(_ path: String) -> String {
    let parent = folder(of: path)
    return exists(path) || parent == path ? path : nearestFolder(parent)
  }

  /// Asks whether files can be made in a folder and removed from it.
  package static func checkIsWritable(_ path: String) throws(Errno) {
    guard unsafe faccessat(AT_FDCWD, path.systemPath, W_OK | X_OK, AT_EACCESS) == 0 else {
      throw .current
    }
  }

  /// Asks whether the files in a folder can be listed and looked at.
  package static func checkCanBeListed(_ path: String) throws(Errno) {
    guard unsafe faccessat(AT_FDCWD, path.systemPath, R_OK | X_OK, AT_EACCESS) == 0 else {
      throw .current
    }
  }

  /// - Throws: `Errno` where a file cannot be opened for writing.
  package static func checkCanBeWritten(_ path: String) throws(Errno) {
    guard unsafe faccessat(AT_FDCWD, path.systemPath, W_OK, AT_EACCESS) == 0 else { throw .current }
  }

  /// How many bytes a new file in a folder may have; nil where the file system does not say.
  package static func freeByteCount(in folder: String) -> UInt64? {
    var status = statvfs()
    // SAFETY: the call fills the structure given.
    guard unsafe statvfs(folder.systemPath, &status) == 0 else { return nil }
    return freeByteCount(status)
  }

  /// How many bytes the file system of an open file has left; nil where it does not say.
  static func freeByteCount(under descriptor: CInt) -> UInt64? {
    var status = statvfs()
    // SAFETY: the call fills the structure given.
    guard unsafe fstatvfs(descriptor, &status) == 0 else { return nil }
    return freeByteCount(status)
  }

  private static func freeByteCount(_ status: statvfs) -> UInt64? {
    guard status.f_blocks > 0 else { return nil }
    // Some blocks are kept for root.
    let blockCount = geteuid() == 0 ? status.f_bfree : status.f_bavail
    let (product, overflow) = UInt64(blockCount)
      .multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? nil : product
  }

  /// Makes a folder and those above it, for their owner only; false if it was there.
  @discardableResult
  package static func makeFolders(_ path: String) throws(Errno) -> Bool {
    if exists(path) { return false }
    let parent = folder(of: path)
    if parent != path { try makeFolders(parent) }
    guard unsafe mkdir(path.systemPath, 0o700) == 0 || Errno.current == .fileExists else {
      throw .current
    }
    try synchronizeFolder(parent)
    return true
  }

  /// Removes a folder that nothing is in.
  package static func removeEmptyFolder(_ path: String) throws(Errno) {
    guard unsafe rmdir(path.systemPath) == 0 else { throw .current }
  }

  /// Makes a file that was not there, for its owner only.
  package static func make(_ path: String) throws(Errno) -> OwnedDescriptor {
    let descriptor = unsafe open(
      path.systemPath, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600 as mode_t)
    guard descriptor >= 0 else { throw .current }
    return OwnedDescriptor(takingOwnershipOf: descriptor)
  }

  package static func append(
    _ bytes: [UInt8], to descriptor: borrowing OwnedDescriptor
  ) throws(Errno) {
    var done = 0
    while done < bytes.count {
      // SAFETY: the pointer is to the bytes that are not written yet, and used in the call only.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe write(
          descriptor.rawValue, $0.baseAddress.map { unsafe $0 + done }, bytes.count - done)
      }
      if count < 0, Errno.current == .interrupted { continue }
      guard count > 0 else { throw count < 0 ? .current : .noSpace }
      done += count
    }
  }

  package static func synchronize(_ descriptor: borrowing OwnedDescriptor) throws(Errno) {
    let number = descriptor.rawValue
    try uninterrupted { fsync(number) }
  }

  /// Makes the names in a folder durable.
  package static func synchronizeFolder(_ path: String) throws(Errno) {
    let descriptor = unsafe open(path.systemPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current }
    let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
    try synchronize(owner)
  }

  /// Gives a file another name; false where the file system has no way to that which never replaces another file.
  ///
  /// By a second name for a moment, or, where the file system has none (FAT, exFAT, CIFS), by a rename that does not
  /// replace.
  package static func nameWithoutReplacing(
    _ path: String, as name: String
  ) throws(Errno) -> Bool {
    if unsafe Glibc::link(path.systemPath, name.systemPath) == 0 {
      do throws(Errno) {
        try remove(path)
      } catch {
        try? remove(name)
        throw error
      }
      return true
    }
    guard Errno.current.meansNoSuchCall else { throw .current }
    if unsafe caio_rename_without_replacing(path.systemPath, name.systemPath) == 0 { return true }
    guard Errno.current.meansNoSuchCall else { throw .current }
    return false
  }

  package static func rename(_ path: String, to name: String) throws(Errno) {
    guard unsafe Glibc::rename(path.systemPath, name.systemPath) == 0 else { throw .current }
  }

  package static func remove(_ path: String) throws(Errno) {
    guard unsafe unlink(path.systemPath) == 0 else { throw .current }
  }

  /// True on a file system that numbers its files anew at each mount.
  package static func numbersFilesAnew(_ path: String) -> Bool {
    let type = unsafe caio_file_system_type(path.systemPath)
    return type == caio_fat || type == caio_exfat
  }

  package static func permanence(of path: String) -> Permanence {
    switch unsafe caio_file_system_type(path.systemPath) {
    case caio_tmpfs, caio_ramfs: .memory
    case caio_overlayfs: .overlay
    default: .lasting
    }
  }

  /// The device under the file system that a path is on.
  package static func device(under path: String) throws(MergeError) -> DeviceNumber {
    try FileStatus(path, role: "folder").device
  }
}

extension String {
  /// The path for the system, ended by a zero; empty, which leads nowhere, if there is a zero within.
  package var systemPath: [CChar] {
    let bytes = PathText.bytes(of: self)
    return (bytes.contains(0) ? [] : bytes).map { CChar(bitPattern: $0) } + [0]
  }
}
