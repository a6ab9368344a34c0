internal import CAIO
internal import Glibc
internal import Synchronization
package import SystemPackage

/// A regular file or block device that is open, with what is known of its shape.
package final class OpenFile: Sendable {
  package enum Kind: Sendable { case regularFile, blockDevice }
  package enum Access: Sendable { case readOnly, readWrite }

  package let path: String
  package let kind: Kind
  package let byteCount: UInt64
  /// Every direct request's offset, byte count and buffer is a multiple of this many bytes.
  package let alignmentByteCount: Int
  /// Whether I/O goes past the page cache.
  package let isDirect: Bool
  package let inode: UInt64
  /// The file system's device number, or of a block device its own.
  package let deviceNumber: DeviceNumber
  /// Nil where the file system does not tell.
  package let birth: BirthTime?
  /// Bytes that the file system has allocated; of a block device all.
  package let allocatedByteCount: UInt64
  /// Whether a block device refuses writes.
  package let isReadOnly: Bool

  private let owner: OwnedDescriptor
  package var descriptor: CInt { owner.rawValue }
  private let hasLock = Atomic(false)

  /// A lock is let go of by a call of its own: a program that another thread starts at the same moment has a copy of the
  /// descriptor until it runs, and closing this one alone would leave the lock that long.
  deinit {
    if hasLock.load(ordering: .relaxed) { flock(descriptor, LOCK_UN) }
  }

  /// Takes over a regular file that was just made, for I/O through the page cache.
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

  /// When a file was made, as its file system tells.
  package struct BirthTime: Equatable, Sendable {
    package var seconds: Int64
    package var nanoseconds: UInt32
  }

  /// Opens the file or device at `path`.
  ///
  /// - `role`: what it is for the reader of an error: "origin", "data device".
  /// - `exclusive`: O_EXCL; for block devices only.
  /// - `direct`: O_DIRECT, where the file system has it.
  /// - `onlyRegularFiles`: neither a device nor a link, which could lead to any file.
  /// - Throws: `MergeError`, `busy` when somebody else has it and `refused` otherwise.
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
    // Some file systems take the flag and then have no direct I/O for this file.
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

  /// The refusal of a block device that refuses writes.
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
    // SAFETY: each call writes one number into the variable given.
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
  /// How long a lock is tried for: udev has that of a device while it looks at it, and who only asks whether a
  /// file is locked has that for an instant.
  private var lockTimeMax: Duration { kind == .blockDevice ? .seconds(2) : .milliseconds(5) }

  /// Takes the file for this process alone, as far as others ask; false if somebody else has it.
  ///
  /// - `timeMax`: how long it is tried for; nil for the usual time.
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

  /// Keeps others from taking the file for themselves, as far as they ask; false if somebody has it.
  package func lockAgainstWriters() -> Bool {
    guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return Errno.current != .wouldBlock }
    hasLock.store(true, ordering: .relaxed)
    return true
  }

  /// Whether somebody holds the file's lock now.
  package var isLockedByAnother: Bool {
    guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return Errno.current == .wouldBlock }
    flock(descriptor, LOCK_UN)
    return false
  }

  /// Returns how others than root and this user may have come to write the open file; nil where they
  /// cannot have.
  func foreignWriters() throws(Errno) -> JournalDoubt? {
    var status = stat()
    // SAFETY: the call fills the structure given.
    guard unsafe fstat(descriptor, &status) == 0 else { throw .current }
    let user = geteuid()
    if status.st_uid != 0, status.st_uid != user {
      return .owner(status.st_uid, isAskedByRoot: user == 0)
    }
    if status.st_mode & 0o022 != 0 { return .mode(status.st_mode & 0o7777) }
    if status.st_nlink != 1 { return .nameCount(UInt64(status.st_nlink)) }
    return nil
  }

  /// True while the path leads to this file or, for a block device, to the same device.
  package var isStillAtItsPath: Bool {
    guard let now = try? FileStatus(path, role: "file") else { return false }
    switch kind {
    // udev may make a node anew while the device is open.
    case .blockDevice: return now.isBlockDevice && now.deviceItself == deviceNumber
    case .regularFile: return now.inode == inode && now.device == deviceNumber
    }
  }

  /// How many bytes the file or device has now; it may have grown since it was opened.
  package func byteCountNow() throws(MergeError) -> UInt64 {
    guard kind == .blockDevice else {
      return try FileStatus(descriptor: descriptor, path: path, role: "file").byteCount
    }
    var byteCount: UInt64 = 0
    // SAFETY: the call writes one number into the variable given.
    guard unsafe caio_device_byte_count(descriptor, &byteCount) == 0 else {
      throw .cannotAskSize(path, "device", .current)
    }
    return byteCount
  }

  /// How many names lead to the file now.
  package func nameCountNow() throws(MergeError) -> UInt32 {
    try FileStatus(descriptor: descriptor, path: path, role: "file").nameCount
  }

  /// What is another one once a file's content has changed.
  package struct Version: Equatable, Sendable {
    var byteCount: UInt64
    var changeSeconds: Int64
    var changeNanoseconds: UInt32
  }

  package func versionNow() throws(MergeError) -> Version {
    try FileStatus(descriptor: descriptor, path: path, role: "file").version
  }

  /// Cuts or extends a regular file.
  package func setByteCount(_ byteCount: UInt64) throws(Errno) {
    try uninterrupted { ftruncate(descriptor, off_t(byteCount)) }
  }

  /// Takes disk space for bytes that have none, without changing any byte or the file's end.
  package func allocate(_ range: ByteRange) throws(Errno) {
    try uninterrupted {
      caio_allocate_keep_size(descriptor, Int64(range.start), Int64(range.byteCount))
    }
  }

  /// Returns how many bytes of a range have no disk space; nil where the file system does not tell.
  package func holeByteCount(in range: ByteRange) -> UInt64? {
    var count: UInt64 = 0
    var position = range.start
    while position < range.end {
      let data = lseek(descriptor, off_t(position), CInt(caio_seek_data))
      guard data >= 0 else {
        // No data from here to the end of the file.
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

  /// How many bytes its file system has for more of it; nil where that does not say.
  package var freeByteCount: UInt64? { FileSystem.freeByteCount(under: descriptor) }

  /// Writes bytes by way of the page cache.
  package func write(_ bytes: [UInt8], at byteOffset: UInt64) throws(Errno) {
    var done = 0
    while done < bytes.count {
      // SAFETY: the pointer is to the bytes that are not written yet, and used in the call only.
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

  /// Makes reads find what is on the disk: after a failed flush a file's pages can be read for a while
  /// that never come there.
  package func forgetCache() throws(Errno) {
    // What cannot be saved would stay in the cache, and be believed.
    try synchronize()
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// Whether an open-file-description lock of somebody else (qemu's, say) keeps writers out.
  package var hasForeignLock: Bool { caio_ofd_write_lock_conflicts(descriptor) == 1 }

  /// Whether the system swaps to the file now.
  package var isSwap: Bool {
    let lines = FileSystem.text(of: "/proc/swaps")?.split(separator: "\n").dropFirst() ?? []
    return lines.contains { line in
      // Blanks in a path stand as octal numbers, so it ends at the first blank or tab.
      let path = String(line.prefix { $0 != " " && $0 != "\t" })
        .split(separator: "\\040", omittingEmptySubsequences: false).joined(separator: " ")
      guard let status = try? FileStatus(path, role: "swap file") else { return false }
      return status.inode == inode && status.device == deviceNumber
    }
  }
}
