internal import SystemPackage

/// The device or file that a merge writes to, open for writing and protected from other processes.
struct DeviceTarget {
  let file: OpenFile
  /// The same file, opened for buffered I/O to write its unaligned tail.
  let buffered: OpenFile
  /// The locked regular file: `file` itself, or the file under its loop devices; nil for a disk, or
  /// if no path leads to the file.
  let backing: OpenFile?

  /// Opens and locks the file at `path`, which must be the file that was checked earlier
  /// (`looked`).
  ///
  /// - `use`: how other processes are kept from using the file.
  /// - `linearParts`: the linear mapped devices, one of which may be the file.
  /// - `allowsUnseenLoopDevices`: whether to assume that loop devices that cannot be inspected use
  ///   other files.
  /// - `clock`: limits how long a lock is retried.
  /// - Throws: `MergeError`: `busy` if another process uses the file.
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

  /// Runs every check that can refuse an origin, without opening the origin for writing.
  ///
  /// - `looked`: the origin, open for reading.
  /// - `isMadeWritable`: whether the merge will lift the origin's write protection before opening
  ///   it.
  /// - Throws: `MergeError`, for the same reasons as opening the origin for writing.
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

  /// Protects an origin, and the file under its loop devices, from other processes.
  ///
  /// - Returns: The locked regular file: `file` itself, or the file under its loop devices; nil for
  ///   a disk, or if no path leads to the file.
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

  /// Checks that no loop device has been attached to the origin's bytes since it was opened; no
  /// lock prevents that.
  ///
  /// - Throws: `MergeError` (`busy`) if a loop device has been attached.
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
      // NFS locks only files that are open for writing, so the lock is taken once the file is
      // opened for writing.
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

  /// Allocates disk space for a hole; returns false if the file system cannot allocate in advance.
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
