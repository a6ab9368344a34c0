internal import CAIO
internal import Glibc
package import SystemPackage

/// File system operations on paths, directories and small files.
package enum FileSystem {
  /// The permanence of a file system's contents; files in a `memory` or `overlay` file system may
  /// not survive a reboot.
  package enum Permanence: Sendable { case lasting, memory, overlay }

  /// Returns the text of a small file, such as one in sysfs, without leading and trailing white
  /// space; nil if the file cannot be opened.
  package static func text(of path: String) -> String? {
    guard let bytes = firstBytes(of: path, count: 1 << 20) else { return nil }
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) || $0 == 0 }
    let text = bytes.drop(while: isSpace)
    return PathText.text(text.reversed().drop(while: isSpace).reversed())
  }

  /// Returns up to `count` bytes from the beginning of a file; nil if the file cannot be opened.
  package static func firstBytes(of path: String, count: Int) -> [UInt8]? {
    let descriptor = unsafe open(path.systemPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: min(count, 4096))
    while bytes.count < count {
      // SAFETY: the call writes no more bytes than the buffer holds.
      let read = unsafe buffer.withUnsafeMutableBytes {
        unsafe Glibc::read(owner.rawValue, $0.baseAddress, min($0.count, count - bytes.count))
      }
      guard read > 0 else { break }
      bytes += buffer[..<read]
    }
    return bytes
  }

  /// Returns the sorted names of the entries in a directory; an empty array if the directory cannot
  /// be read.
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

  /// Returns the path under /dev of a block device's node, as named by the kernel; nil if the
  /// device is unknown.
  package static func node(of device: DeviceNumber) -> String? {
    text(of: "/sys/dev/block/\(device)/uevent")?.split(separator: "\n")
      .first { $0.hasPrefix("DEVNAME=") }.map { "/dev/" + $0.dropFirst(8) }
  }

  /// Returns the size of a block device in bytes; nil if the device does not exist.
  static func byteCount(of device: DeviceNumber) -> UInt64? {
    text(of: "/sys/dev/block/\(device)/size").flatMap { UInt64($0) }.map { $0 &* 512 }
  }

  /// Returns the number of the block device whose node is at `path`; nil if there is no block
  /// device node there.
  package static func blockDevice(at path: String) -> DeviceNumber? {
    guard let status = try? FileStatus(path, role: "device"), status.isBlockDevice else {
      return nil
    }
    return status.deviceItself
  }

  package static func exists(_ path: String) -> Bool {
    // SAFETY: the path that Swift passes is zero-terminated.
    unsafe access(path.systemPath, F_OK) == 0
  }

  /// Returns true if something exists at the path, even a dangling symbolic link.
  package static func isNamed(_ path: String) -> Bool { linkStatusErrno(path) == nil }

  /// Returns true if nothing exists at the path; false if something does or if the path cannot be
  /// inspected.
  package static func isMissing(_ path: String) -> Bool {
    linkStatusErrno(path) == .noSuchFileOrDirectory
  }

  private static func linkStatusErrno(_ path: String) -> Errno? {
    var status = stat()
    // SAFETY: the call fills the given structure.
    return unsafe lstat(path.systemPath, &status) == 0 ? nil : Errno.current
  }

  /// Returns the path with symbolic links, `.` and `..` resolved; nil if nothing exists at the
  /// path.
  package static func resolved(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path.systemPath, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe text(ofSystemPath: resolved)
  }

  /// Returns the absolute path without resolving symbolic links: /dev/mapper/x stays /dev/mapper/x.
  package static func absolute(_ path: String) -> String {
    guard path.utf8.first != UInt8(ascii: "/"), let folder = resolved(".") else { return path }
    return FilePath(folder).appending(path).lexicallyNormalized().string
  }

  /// Converts a zero-terminated path from a system call to a string.
  package static func text(ofSystemPath path: UnsafePointer<CChar>) -> String {
    // SAFETY: only the bytes up to the zero are read.
    unsafe PathText.text(UnsafeRawBufferPointer(start: path, count: strlen(path)))
  }

  /// Converts a text to a plain file name; different texts yield different names.
  ///
  /// A byte that is not a letter, a digit, `-`, `.` or `_` becomes `%` and two hexadecimal digits:
  /// `a b` becomes `a%20b`. The end of a long name is replaced by a checksum of the whole name.
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

  /// The maximum length of a name before its end is replaced by a checksum; it leaves room within
  /// 255 bytes for suffixes and for the additions in names of temporary files.
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

  /// Returns the path of the directory that contains a path's last component.
  package static func folder(of path: String) -> String {
    let parent = FilePath(path).removingLastComponent().string
    return parent.isEmpty ? "." : parent
  }

  /// Returns the path itself if it exists, or else its nearest existing ancestor.
  package static func nearestFolder(_ path: String) -> String {
    let parent = folder(of: path)
    return exists(path) || parent == path ? path : nearestFolder(parent)
  }

  /// Checks that this process may create files in a directory and remove them.
  package static func checkIsWritable(_ path: String) throws(Errno) {
    guard unsafe faccessat(AT_FDCWD, path.systemPath, W_OK | X_OK, AT_EACCESS) == 0 else {
      throw .current
    }
  }

  /// Checks that this process may list and inspect the files in a directory.
  package static func checkCanBeListed(_ path: String) throws(Errno) {
    guard unsafe faccessat(AT_FDCWD, path.systemPath, R_OK | X_OK, AT_EACCESS) == 0 else {
      throw .current
    }
  }

  /// Checks that this process may open a file for writing.
  ///
  /// - Throws: `Errno` if the file cannot be opened for writing.
  package static func checkCanBeWritten(_ path: String) throws(Errno) {
    guard unsafe faccessat(AT_FDCWD, path.systemPath, W_OK, AT_EACCESS) == 0 else { throw .current }
  }

  /// Returns the number of free bytes available to new files in a directory; nil if the file system
  /// does not report free space.
  package static func freeByteCount(in folder: String) -> UInt64? {
    var status = statvfs()
    // SAFETY: the call fills the given structure.
    guard unsafe statvfs(folder.systemPath, &status) == 0 else { return nil }
    return freeByteCount(status)
  }

  /// Returns the number of free bytes in an open file's file system; nil if the file system does
  /// not report free space.
  static func freeByteCount(under descriptor: CInt) -> UInt64? {
    var status = statvfs()
    // SAFETY: the call fills the given structure.
    guard unsafe fstatvfs(descriptor, &status) == 0 else { return nil }
    return freeByteCount(status)
  }

  private static func freeByteCount(_ status: statvfs) -> UInt64? {
    guard status.f_blocks > 0 else { return nil }
    // Some of the free blocks are reserved for root.
    let blockCount = geteuid() == 0 ? status.f_bfree : status.f_bavail
    let (product, overflow) = UInt64(blockCount)
      .multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? nil : product
  }

  /// Creates a directory and any missing ancestors, all accessible only to their owner; returns
  /// false if the directory already exists.
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

  /// Removes an empty directory.
  package static func removeEmptyFolder(_ path: String) throws(Errno) {
    guard unsafe rmdir(path.systemPath) == 0 else { throw .current }
  }

  /// Creates a new file that is accessible only to its owner.
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
      // SAFETY: the pointer is to the bytes not yet written, and is used only during the call.
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

  /// Makes the entries of a directory durable.
  package static func synchronizeFolder(_ path: String) throws(Errno) {
    let descriptor = unsafe open(path.systemPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current }
    let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
    try synchronize(owner)
  }

  /// Renames a file without replacing any existing file; returns false if the file system has no
  /// way to do that.
  ///
  /// The file briefly has both names, as hard links. On a file system without hard links (FAT,
  /// exFAT, CIFS), a rename call that refuses to replace a file is used instead.
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

  /// Returns true if the path is on a file system that assigns new inode numbers at each mount.
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

  /// Returns the device number of the file system that contains a path.
  package static func device(under path: String) throws(MergeError) -> DeviceNumber {
    try FileStatus(path, role: "folder").device
  }
}

extension String {
  /// The string as a zero-terminated path for system calls; an empty path, which matches no file,
  /// if the string contains a zero byte.
  package var systemPath: [CChar] {
    let bytes = PathText.bytes(of: self)
    return (bytes.contains(0) ? [] : bytes).map { CChar(bitPattern: $0) } + [0]
  }
}
