internal import CAIO
internal import Glibc
internal import SystemPackage

/// The major and minor number of a block device, or of the device that contains a file system.
package struct DeviceNumber: Hashable, Sendable, Codable, CustomStringConvertible {
  package var major: UInt32
  package var minor: UInt32

  package init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }

  package var description: String { "\(major):\(minor)" }

  /// The device number as the kernel packs it for user space: 12 bits of the major number and 20
  /// bits of the minor number, interleaved.
  package var packed: UInt64 {
    UInt64(minor & 0xFF) | UInt64(major & 0xFFF) << 8 | UInt64(minor & ~0xFF) << 12
      | UInt64(major & ~0xFFF) << 32
  }
}

/// The status of a file, as returned by `statx`.
struct FileStatus {
  private let status: caio_statx

  /// Reads the status of the file at `path`.
  init(_ path: String, role: String, followsLinks: Bool = true) throws(MergeError) {
    let descriptor = unsafe open(
      path.systemPath, caio_o_path | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW))
    guard descriptor >= 0 else {
      let errno = Errno.current
      throw .cannotOpen(path, role, errno, isRoot: geteuid() == 0)
    }
    let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
    try self.init(descriptor: owner.rawValue, path: path, role: role)
  }

  init(descriptor: CInt, path: String, role: String) throws(MergeError) {
    var status = caio_statx()
    // SAFETY: the call fills the given structure.
    guard unsafe caio_statx_fd(descriptor, &status) == 0 else {
      throw .cannotInspect(path, role, .current)
    }
    self.status = status
  }

  private var type: UInt32 { UInt32(status.mode) & UInt32(Glibc::S_IFMT) }
  var isRegularFile: Bool { type == UInt32(Glibc::S_IFREG) }
  var isBlockDevice: Bool { type == UInt32(Glibc::S_IFBLK) }

  var kind: FileKind {
    switch type {
    case UInt32(Glibc::S_IFDIR): .directory
    case UInt32(Glibc::S_IFREG): .regularFile
    case UInt32(Glibc::S_IFBLK): .blockDevice
    case UInt32(Glibc::S_IFCHR): .characterDevice
    case UInt32(Glibc::S_IFIFO): .pipe
    case UInt32(Glibc::S_IFSOCK): .socket
    case UInt32(Glibc::S_IFLNK): .symbolicLink
    default: .other
    }
  }

  var byteCount: UInt64 { status.byte_count }
  var allocatedByteCount: UInt64 {
    let (product, overflow) = status.block_count_512.multipliedReportingOverflow(by: 512)
    return overflow ? .max : product
  }
  var inode: UInt64 { status.inode }
  /// The number of hard links.
  var nameCount: UInt32 { status.link_count }
  var birth: OpenFile.BirthTime? {
    guard status.mask & caio_statx_birth_time != 0 else { return nil }
    return OpenFile.BirthTime(
      seconds: status.birth_seconds, nanoseconds: status.birth_nanoseconds)
  }
  var version: OpenFile.Version {
    OpenFile.Version(
      byteCount: byteCount, changeSeconds: status.change_seconds,
      changeNanoseconds: status.change_nanoseconds)
  }
  /// The device that contains the file's file system.
  var device: DeviceNumber { DeviceNumber(major: status.dev_major, minor: status.dev_minor) }
  /// For a block device node, the device that it represents.
  var deviceItself: DeviceNumber {
    DeviceNumber(major: status.rdev_major, minor: status.rdev_minor)
  }

  /// The alignment required for direct I/O on the file; 0 if the file does not support direct I/O,
  /// nil if the file system does not report an alignment.
  var directAlignmentByteCount: Int? {
    guard status.mask & caio_statx_direct_io != 0 else { return nil }
    guard status.direct_offset_alignment > 0 else { return 0 }
    return Int(max(status.direct_offset_alignment, status.direct_memory_alignment))
  }

  func isSameFile(as other: FileStatus) -> Bool {
    inode == other.inode && device == other.device && deviceItself == other.deviceItself
      && type == other.type
  }
}
