internal import SystemPackage

/// The device or file that a merge writes to: open for writing, and kept from everybody else.
struct DeviceTarget {
  let file: OpenFile
  /// The same through the page cache, for the unaligned rest at its end.
  let buffered: OpenFile
  /// The file itself, or the one under its loop devices, locked; nil for a disk, and where no path leads to that file.
  let backing: OpenFile?

  /// Opens and locks what is at `path`, which has to be the file that was looked at before.
  ///
  /// - `use`: what keeps everybody else off it.
  /// - `linearParts`: the mapped devices that it may be one of.
  /// - `allowsUnseenLoopDevices`: whether loop devices that cannot be seen are taken to lie elsewhere.
  /// - `clock`: tells for how long a lock is tried.
  /// - Throws: `MergeError`: `busy` where somebody else uses it.
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

  /// Looks at everything for which an origin is refused, without opening it for writing.
  ///
  /// - `looked`: the same, open for reading.
  /// - `isMadeWritable`: whether its write protection is lifted before it is opened.
  /// - Throws: `MergeError` as opening it does.
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

  /// Keeps an origin, and the file under its loop devices, from everybody else.
  ///
  /// - Returns: The file itself, or the one under its loop devices.
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

  /// Looks whether a loop device was attached over the origin's bytes since, which no lock keeps anybody from.
  ///
  /// - Throws: `MergeError` (`busy`) if so.
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
      // NFS locks only what is open for writing: then the lock waits for that.
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

  /// Takes disk space for a hole; false where the file system cannot take space in advance.
  func allocate(_ range: ByteRange) throws(MergeError) -> Bool {
    do throws(Errno) {
      try file.allocate(range)
      return true
    } catch {
      if error.meansNoAllocation { return false }
      throw .noRoomForHoles(file.path, range, error)
    }
  }

  /// Extends the file, durably; nil leaves it as it is.
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
