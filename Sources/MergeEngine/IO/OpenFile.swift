internal import CAIO
internal import Glibc
internal import SystemPackage

/// A regular file or block device that is open, with what is known of its shape.
package final class OpenFile {
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

  private let owner: OwnedDescriptor
  package var descriptor: CInt { owner.rawValue }

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
      let expected = onlyRegularFiles ? "a regular file" : "a regular file or a block device"
      throw MergeError(
        .refused, "cannot use the \(role)", at: path,
        because: "it is \(found.kindInWords); \(expected) is expected",
        hint: found.isLink ? "give the path that it leads to" : nil)
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
      let isBusy = errno == .resourceBusy
      throw MergeError(
        isBusy ? .busy : .refused, "cannot open the \(role)", at: path,
        because: isBusy ? "the device is in use: mounted, or held by another program" : "\(errno)",
        hint: isBusy
          ? "see 'lsblk \(ShellWord.quoted(path))' and 'lsof \(ShellWord.quoted(path))' for who uses it"
          : errno.permissionHint)
    }
    let owner = OwnedDescriptor(takingOwnershipOf: opened)
    let status = try FileStatus(descriptor: opened, path: path, role: role)
    guard status.isSameFile(as: found) else {
      throw MergeError(
        .refused, "cannot open the \(role)", at: path,
        because: "it was replaced while being opened",
        hint: "see what replaces it, then give the same command again")
    }

    if isDevice {
      let device = try Self.deviceShape(opened, path: path, role: role)
      byteCount = device.byteCount
      alignmentByteCount = device.logicalBlockByteCount
      deviceNumber = status.deviceItself
      allocatedByteCount = device.byteCount
      if access == .readWrite, device.isReadOnly {
        throw MergeError(
          .refused, "cannot write to the \(role)", at: path, because: "the device is read-only",
          hint:
            "'blockdev --setrw \(ShellWord.quoted(path))' lifts that, if it is meant to be written to"
        )
      }
    } else {
      byteCount = status.byteCount
      alignmentByteCount = isDirect ? status.directAlignmentByteCount ?? 4096 : 1
      deviceNumber = status.device
      allocatedByteCount = status.allocatedByteCount
    }
    self.owner = owner
    self.path = path
    self.isDirect = isDirect
    kind = isDevice ? .blockDevice : .regularFile
    inode = status.inode
    birth = status.birth
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
      throw MergeError(
        .refused, "cannot ask the \(role) for its size", at: path, because: "\(Errno.current)",
        hint: "the kernel's log may say more")
    }
    return DeviceShape(
      byteCount: byteCount, logicalBlockByteCount: Int(logical), isReadOnly: readOnly != 0)
  }
}
