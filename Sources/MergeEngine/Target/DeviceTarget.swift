internal import SystemPackage

/// The device or file that a merge writes to, open for writing and protected from other users.
struct DeviceTarget {
  let file: OpenFile
  /// The same file opened through the page cache, for its unaligned tail.
  let buffered: OpenFile
  /// The locked file: `file` itself, or the file under its loop devices; nil for a disk, and where
  /// no path leads to the file.
  let backing: OpenFile?

  /// Opens and locks the file at `path`, which must be the file that was checked before.
  ///
  /// - `use`: the way in which other users are kept off the file.
  /// - `linearParts`: the mapped devices of which the file may be one.
  /// - `allowsUnseenLoopDevices`: whether loop devices that cannot be seen are assumed to lie over
  ///   other files.
  /// - `clock`: limits the time for which a lock is retried.
  /// - Throws: `MergeError`: `busy` where another process uses the file.
  init(
    _ path: String, use: OriginUse, lookedAt looked: OpenFile,
    linearParts: StorageExtent.LinearParts, allowsUnseenLoopDevices: Bool, clock: Clock
  ) throws(MergeError) {
    file = try OpenFile(path, role: "origin", access: .readWrite, exclusive: use == .exclusive)
    backing = try Self.take(
      file, linearParts, allowsUnseenLoopDevices: allowsUnseenLoopDevices, clock)
    buffered = try OpenFile(path, role: "origin", access: .readWrite, direct: false)
    guard file.isSameFile(as: looked), buffered.isSameFile(as: looked) else {
      throw .originReplaced(path)
    }
  }

  /// Makes every check that can refuse an origin, without opening it for writing.
  ///
  /// - `looked`: the same file, open for reading.
  /// - `isMadeWritable`: whether its write protection is lifted before it is opened.
  /// - Throws: `MergeError` as opening the origin does.
  static func check(
    _ looked: OpenFile, use: OriginUse, isMadeWritable: Bool,
    linearParts: StorageExtent.LinearParts, allowsUnseenLoopDevices: Bool, clock: Clock
  ) throws(MergeError) {
    let path = looked.path
    let file = try OpenFile(path, role: "origin", access: .readOnly, exclusive: use == .exclusive)
    guard file.isSameFile(as: looked) else { throw .originReplaced(path) }
    switch file.kind {
    case .blockDevice:
      if file.isReadOnly, !isMadeWritable {
        throw OpenFile.readOnly(path, role: "origin", file.deviceNumber)
      }
    case .regularFile:
      do throws(Errno) {
        try FileSystem.checkCanBeWritten(path)
      } catch {
        throw .cannotOpen(path, "origin", error, isRoot: ThisSystem.isRoot)
      }
    }
    _ = try take(file, linearParts, allowsUnseenLoopDevices: allowsUnseenLoopDevices, clock)
  }

  /// Protects an origin, and the file under its loop devices, from other users.
  ///
  /// - Returns: The file itself, or the file under its loop devices.
  private static func take(
    _ file: OpenFile, _ linearParts: StorageExtent.LinearParts, allowsUnseenLoopDevices: Bool,
    _ clock: Clock
  ) throws(MergeError) -> OpenFile? {
    try lock(file, of: file, clock)
    let extent = StorageExtent(file, linearParts: linearParts, clock: clock)
    let backing = file.kind == .regularFile ? file : extent.openFile()
    if let backing { try takeFile(backing, of: file, clock) }
    if case .file = extent.layer, backing == nil, !allowsUnseenLoopDevices {
      throw .loopDevicesUnseen(file.path, .file(file.path))
    }
    try checkNoLoopDevice(
      over: extent, of: file, linearParts, allowsUnseen: allowsUnseenLoopDevices, clock)
    return backing
  }

  /// Checks that no loop device was attached over the origin's bytes meanwhile, which no lock
  /// prevents.
  ///
  /// - Throws: `MergeError` (`busy`) if one was.
  func checkStillAlone(
    linearParts: StorageExtent.LinearParts, allowsUnseenLoopDevices: Bool, clock: Clock
  ) throws(MergeError) {
    try Self.checkNoLoopDevice(
      over: StorageExtent(file, linearParts: linearParts, clock: clock), of: file, linearParts,
      allowsUnseen: allowsUnseenLoopDevices, clock)
  }

  private static func checkNoLoopDevice(
    over extent: StorageExtent, of file: OpenFile, _ linearParts: StorageExtent.LinearParts,
    allowsUnseen: Bool, _ clock: Clock
  ) throws(MergeError) {
    try LoopDevice.checkNone(
      over: extent, of: file, linearParts: linearParts, allowsUnseen: allowsUnseen, clock: clock,
      MergeError.originUnderLoopDevice)
  }

  private static func lock(
    _ file: OpenFile, of origin: OpenFile, _ clock: Clock
  ) throws(MergeError) {
    let isLocked: Bool
    do throws(Errno) {
      isLocked = try file.lock(clock)
    } catch {
      // NFS locks only files that are open for writing; the lock is taken once the file is.
      if error == .badFileDescriptor { return }
      throw .cannotLockOrigin(file.path, error)
    }
    guard isLocked else {
      throw .originLocked(origin.path, file: file.path)
    }
  }

  private static func takeFile(
    _ backing: OpenFile, of origin: OpenFile, _ clock: Clock
  ) throws(MergeError) {
    if !backing.isSameFile(as: origin) { try lock(backing, of: origin, clock) }
    guard !backing.isSwap else {
      throw .originIsSwap(origin.path, file: backing.path)
    }
    guard !backing.hasForeignLock else {
      throw .originPartLocked(origin.path, file: backing.path)
    }
  }

  /// Allocates disk space for a hole; returns false where the file system cannot allocate in
  /// advance.
  func allocate(_ range: ByteRange) throws(MergeError) -> Bool {
    do throws(Errno) {
      try file.allocate(range)
      return true
    } catch {
      if error.meansNoAllocation { return false }
      throw .noRoomForHoles(file.path, range, error)
    }
  }

  /// Extends the file durably; does nothing if `byteCount` is nil.
  func grow(to byteCount: UInt64?) throws(MergeError) {
    guard let byteCount, byteCount > file.byteCount else { return }
    do throws(Errno) {
      try file.setByteCount(byteCount)
      try file.synchronize()
    } catch {
      throw .cannotExtendOrigin(file.path, to: byteCount, error)
    }
  }
}
