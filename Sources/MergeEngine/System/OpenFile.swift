internal import CAIO
internal import Glibc
internal import Synchronization
package import SystemPackage

/// An open regular file or block device, with the properties that it had when it was opened.
package final class OpenFile: Sendable {
  package enum Kind: Sendable { case regularFile, blockDevice }
  package enum Access: Sendable { case readOnly, readWrite }

  package let path: String
  package let kind: Kind
  package let byteCount: UInt64
  /// The alignment, in bytes, that direct I/O requires for the offset, length and buffer of each
  /// request.
  package let alignmentByteCount: Int
  /// True if I/O bypasses the page cache.
  package let isDirect: Bool
  package let inode: UInt64
  /// The device number of the block device or, for a regular file, of its file system.
  package let deviceNumber: DeviceNumber
  /// The file's creation time; nil if the file system does not record it.
  package let birth: BirthTime?
  /// The number of bytes of disk space allocated to the file; for a block device, its size.
  package let allocatedByteCount: UInt64
  /// True if this is a block device that rejects writes.
  package let isReadOnly: Bool

  private let owner: OwnedDescriptor
  package var descriptor: CInt { owner.rawValue }
  private let hasLock = Atomic(false)

  /// Releases the lock explicitly: a child process that another thread is starting has a copy of
  /// the descriptor until it calls exec, and would hold the lock until then.
  deinit {
    if hasLock.load(ordering: .relaxed) { flock(descriptor, LOCK_UN) }
  }

  /// Takes over the descriptor of a regular file that was just created, for I/O through the page
  /// cache.
  package init(
    adopting owner: consuming OwnedDescriptor, path: String, role: String
  ) throws(MergeError) {
    let status = try FileStatus(descriptor: owner.rawValue, path: path, role: role)
    self.path = path
    kind = .regularFile
    byteCount = status.byteCount
    alignmentByteCount = 1
    isDirect = false
    inode = status.inode
    deviceNumber = status.device
    birth = status.birth
    allocatedByteCount = status.allocatedByteCount
    isReadOnly = false
    self.owner = owner
  }

  /// A file's creation time, as recorded by its file system.
  package struct BirthTime: Equatable, Sendable {
    package var seconds: Int64
    package var nanoseconds: UInt32
  }

  /// Opens the file or device at `path`.
  ///
  /// - `role`: what error messages call the file or device, such as "origin" or "data device".
  /// - `exclusive`: whether to open a block device with O_EXCL; ignored for regular files.
  /// - `direct`: whether to use O_DIRECT if the file system supports it.
  /// - `onlyRegularFiles`: whether to reject devices, as well as symbolic links, which could lead
  ///   to any file.
  /// - Throws: `MergeError`, of kind `busy` if the device is in use, or of kind `refused`
  ///   otherwise.
  package init(
    _ path: String, role: String, access: Access, exclusive: Bool = false, direct: Bool = true,
    onlyRegularFiles: Bool = false
  ) throws(MergeError) {
    let found = try FileStatus(path, role: role, followsLinks: !onlyRegularFiles)
    guard found.isRegularFile || found.isBlockDevice && !onlyRegularFiles else {
      throw .fileKind(path, role, is: found.kind, onlyRegularFiles: onlyRegularFiles)
    }
    let isDevice = found.isBlockDevice
    var flags = (access == .readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC
    if exclusive, isDevice { flags |= O_EXCL }
    if onlyRegularFiles { flags |= O_NOFOLLOW }
    // Some file systems accept O_DIRECT but do not support direct I/O on this file.
    var isDirect = direct && (isDevice || found.directAlignmentByteCount != 0)
    var opened = unsafe open(path.systemPath, flags | (isDirect ? caio_o_direct : 0))
    if opened < 0, isDirect, !isDevice, Errno.current == .invalidArgument {
      isDirect = false
      opened = unsafe open(path.systemPath, flags)
    }
    guard opened >= 0 else {
      let errno = Errno.current
      throw errno == .resourceBusy
        ? MergeError.deviceInUse(path, role)
        : .cannotOpen(path, role, errno, isRoot: ThisSystem.isRoot)
    }
    let owner = OwnedDescriptor(takingOwnershipOf: opened)
    let status = try FileStatus(descriptor: opened, path: path, role: role)
    guard status.isSameFile(as: found) else {
      throw .fileReplaced(path, role)
    }

    if isDevice {
      let device = try Self.deviceShape(opened, path: path, role: role)
      byteCount = device.byteCount
      alignmentByteCount = device.logicalBlockByteCount
      deviceNumber = status.deviceItself
      allocatedByteCount = device.byteCount
      isReadOnly = device.isReadOnly
      if access == .readWrite, device.isReadOnly {
        throw Self.readOnly(path, role: role, deviceNumber)
      }
    } else {
      byteCount = status.byteCount
      alignmentByteCount = isDirect ? status.directAlignmentByteCount ?? 4096 : 1
      deviceNumber = status.device
      allocatedByteCount = status.allocatedByteCount
      isReadOnly = false
    }
    self.owner = owner
    self.path = path
    self.isDirect = isDirect
    kind = isDevice ? .blockDevice : .regularFile
    inode = status.inode
    birth = status.birth
  }

  /// Returns the error for a block device that rejects writes.
  static func readOnly(_ path: String, role: String, _ number: DeviceNumber) -> MergeError {
    .deviceReadOnly(
      path, role, mappedName: FileSystem.text(of: "/sys/dev/block/\(number)/dm/name"),
      isLoopDevice: FileSystem.exists("/sys/dev/block/\(number)/loop"))
  }

  package func isSameFile(as other: OpenFile) -> Bool {
    kind == other.kind && deviceNumber == other.deviceNumber && inode == other.inode
  }

  private struct DeviceShape {
    var byteCount: UInt64
    var logicalBlockByteCount: Int
    var isReadOnly: Bool
  }

  private static func deviceShape(
    _ descriptor: CInt, path: String, role: String
  ) throws(MergeError) -> DeviceShape {
    var byteCount: UInt64 = 0
    var logical: CInt = 0
    var readOnly: CInt = 0
    // SAFETY: each call writes one integer into the given variable.
    guard unsafe caio_device_byte_count(descriptor, &byteCount) == 0,
      unsafe caio_logical_block_byte_count(descriptor, &logical) == 0,
      unsafe caio_device_read_only(descriptor, &readOnly) == 0, logical > 0
    else {
      throw .cannotAskSize(path, role, .current)
    }
    return DeviceShape(
      byteCount: byteCount, logicalBlockByteCount: Int(logical), isReadOnly: readOnly != 0)
  }
}

extension OpenFile {
  /// The default time to keep retrying a lock: udev locks a device while probing it, and testing a
  /// file for a lock locks it for an instant.
  private var lockTimeMax: Duration { kind == .blockDevice ? .seconds(2) : .milliseconds(5) }

  /// Takes an exclusive advisory lock on the file; returns false if another process has the file
  /// locked.
  ///
  /// - `timeMax`: how long to retry if the file is locked; nil for the default time.
  package func lock(
    _ clock: Clock = ThisSystem.clock, for timeMax: Duration? = nil
  ) throws(Errno) -> Bool {
    let deadline = clock.now() + (timeMax ?? lockTimeMax)
    var nap = Duration.milliseconds(1)
    while true {
      do throws(Errno) {
        try uninterrupted { flock(descriptor, LOCK_EX | LOCK_NB) }
        hasLock.store(true, ordering: .relaxed)
        return true
      } catch {
        guard error == .wouldBlock else { throw error }
      }
      guard clock.now() < deadline else { return false }
      clock.sleep(nap)
      nap = min(nap * 2, .milliseconds(50))
    }
  }

  /// Takes a shared lock, so that no other process can lock the file exclusively; returns false if
  /// one already has.
  package func lockAgainstWriters() -> Bool {
    guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return Errno.current != .wouldBlock }
    hasLock.store(true, ordering: .relaxed)
    return true
  }

  /// True if another process currently has an exclusive lock on the file.
  package var isLockedByAnother: Bool {
    guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return Errno.current == .wouldBlock }
    flock(descriptor, LOCK_UN)
    return false
  }

  /// Returns the reason why a user other than root and the current user could have written the open
  /// file; nil if no such user could have.
  func foreignWriters() throws(Errno) -> JournalDoubt? {
    var status = stat()
    // SAFETY: the call fills the given structure.
    guard unsafe fstat(descriptor, &status) == 0 else { throw .current }
    let user = geteuid()
    if status.st_uid != 0, status.st_uid != user {
      return .owner(status.st_uid, isAskedByRoot: user == 0)
    }
    if status.st_mode & 0o022 != 0 { return .mode(status.st_mode & 0o7777) }
    if status.st_nlink != 1 { return .nameCount(UInt64(status.st_nlink)) }
    return nil
  }

  /// True if the path still leads to the file or block device that was opened.
  package var isStillAtItsPath: Bool {
    guard let now = try? FileStatus(path, role: "file") else { return false }
    switch kind {
    // udev may recreate the device's node while the device is open.
    case .blockDevice: return now.isBlockDevice && now.deviceItself == deviceNumber
    case .regularFile: return now.inode == inode && now.device == deviceNumber
    }
  }

  /// Returns the current size of the file or device, which may have grown since it was opened.
  package func byteCountNow() throws(MergeError) -> UInt64 {
    guard kind == .blockDevice else {
      return try FileStatus(descriptor: descriptor, path: path, role: "file").byteCount
    }
    var byteCount: UInt64 = 0
    // SAFETY: the call writes one integer into the given variable.
    guard unsafe caio_device_byte_count(descriptor, &byteCount) == 0 else {
      throw .cannotAskSize(path, "device", .current)
    }
    return byteCount
  }

  /// Returns the file's current number of hard links.
  package func nameCountNow() throws(MergeError) -> UInt32 {
    try FileStatus(descriptor: descriptor, path: path, role: "file").nameCount
  }

  /// The version of a file's content: a value that changes whenever the content does.
  package struct Version: Equatable, Sendable {
    var byteCount: UInt64
    var changeSeconds: Int64
    var changeNanoseconds: UInt32
  }

  package func versionNow() throws(MergeError) -> Version {
    try FileStatus(descriptor: descriptor, path: path, role: "file").version
  }

  /// Truncates or extends a regular file to the given size.
  package func setByteCount(_ byteCount: UInt64) throws(Errno) {
    try uninterrupted { ftruncate(descriptor, off_t(byteCount)) }
  }

  /// Allocates disk space for the holes in a range, without changing the file's content or its
  /// size.
  package func allocate(_ range: ByteRange) throws(Errno) {
    try uninterrupted {
      caio_allocate_keep_size(descriptor, Int64(range.start), Int64(range.byteCount))
    }
  }

  /// Returns the number of bytes in a range that are in holes, with no disk space allocated; nil if
  /// the file system does not report holes.
  package func holeByteCount(in range: ByteRange) -> UInt64? {
    var count: UInt64 = 0
    var position = range.start
    while position < range.end {
      let data = lseek(descriptor, off_t(position), CInt(caio_seek_data))
      guard data >= 0 else {
        // There is no data from here to the end of the file.
        return Errno.current.rawValue == ENXIO ? count + (range.end - position) : nil
      }
      let dataStart = min(UInt64(data), range.end)
      count += dataStart - position
      guard dataStart < range.end else { break }
      let hole = lseek(descriptor, off_t(dataStart), CInt(caio_seek_hole))
      guard hole > 0 else { return nil }
      position = UInt64(hole)
    }
    return count
  }

  /// The number of free bytes in the file's file system; nil if the file system does not report
  /// free space.
  package var freeByteCount: UInt64? { FileSystem.freeByteCount(under: descriptor) }

  /// Writes all of the bytes through the page cache, starting at the given offset.
  package func write(_ bytes: [UInt8], at byteOffset: UInt64) throws(Errno) {
    var done = 0
    while done < bytes.count {
      // SAFETY: the pointer is to the bytes not yet written, and is used only during the call.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe pwrite(
          descriptor, $0.baseAddress.map { unsafe $0 + done }, bytes.count - done,
          off_t(byteOffset) + off_t(done))
      }
      if count < 0, Errno.current == .interrupted { continue }
      guard count > 0 else { throw count < 0 ? .current : .noSpace }
      done += count
    }
  }

  package func synchronize() throws(Errno) {
    try uninterrupted { fsync(descriptor) }
  }

  /// Drops the file's cached pages so that reads return what is actually on disk.
  ///
  /// After a failed flush, the page cache can contain data that will never reach the disk.
  package func forgetCache() throws(Errno) {
    // Otherwise, dirty pages would stay in the cache, and later reads would return them.
    try synchronize()
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// True if another process, such as QEMU, has an open-file-description lock on the file that
  /// conflicts with a write lock.
  package var hasForeignLock: Bool { caio_ofd_write_lock_conflicts(descriptor) == 1 }

  /// True if the system is currently using the file as swap space.
  package var isSwap: Bool {
    let lines = FileSystem.text(of: "/proc/swaps")?.split(separator: "\n").dropFirst() ?? []
    return lines.contains { line in
      // Spaces within the path are written as octal escapes, so the path ends at the first space or
      // tab.
      let path = String(line.prefix { $0 != " " && $0 != "\t" })
        .split(separator: "\\040", omittingEmptySubsequences: false).joined(separator: " ")
      guard let status = try? FileStatus(path, role: "swap file") else { return false }
      return status.inode == inode && status.device == deviceNumber
    }
  }
}
