import Foundation

/// A file or device that this process holds, as another program would.
enum HeldFile {
  /// Opened O_EXCL, as a mount or another merge opens a block device.
  static func exclusively(_ path: String) throws -> FileHandle {
    try opened(path, O_RDONLY | O_EXCL)
  }

  /// With an open-file-description lock for writing, as qemu takes on an image.
  static func withOpenFileLock(_ path: String) throws -> FileHandle {
    let handle = try opened(path, O_RDWR)
    let setOpenFileLock: Int32 = 37  // F_OFD_SETLK is not imported
    var lock = flock(
      l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    guard unsafe fcntl(handle.fileDescriptor, setOpenFileLock, &lock) == 0 else {
      throw SupportError.system("lock \(path)")
    }
    return handle
  }

  /// With flock, as another merge holds a regular file.
  static func withFileLock(_ path: String) throws -> FileHandle {
    try locked(path, LOCK_EX)
  }

  /// With flock, as somebody holds it who lets others do the same, but nobody lock it alone.
  static func withSharedFileLock(_ path: String) throws -> FileHandle {
    try locked(path, LOCK_SH)
  }

  /// Whether somebody else has the file's lock.
  static func isLocked(_ path: String) -> Bool {
    (try? locked(path, LOCK_EX)) == nil
  }

  /// With a lease, so that who opens the file for writing waits until this handle is closed.
  static func withLease(_ path: String) throws -> FileHandle {
    let handle = try opened(path, O_RDONLY)
    // F_SETSIG and F_SETLEASE are not imported.
    let (setSignal, setLease): (Int32, Int32) = (10, 1024)
    // The signal that tells of somebody who waits; this one is ignored, the usual one ends the process.
    // A program that another test starts has our descriptors for a moment, one for writing among them.
    guard fcntl(handle.fileDescriptor, setSignal, SIGURG) == 0,
      poll({ fcntl(handle.fileDescriptor, setLease, Int32(F_RDLCK)) == 0 })
    else { throw SupportError.system("take a lease on \(path)") }
    return handle
  }

  /// Whether somebody waits for the end of a lease.
  static func leaseIsInTheWay(_ handle: FileHandle) -> Bool {
    let getLease: Int32 = 1025  // F_GETLEASE is not imported
    return fcntl(handle.fileDescriptor, getLease) != Int32(F_RDLCK)
  }

  private static func locked(_ path: String, _ kind: Int32) throws -> FileHandle {
    let handle = try opened(path, O_RDWR)
    guard flock(handle.fileDescriptor, kind | LOCK_NB) == 0 else {
      throw SupportError.system("flock \(path)")
    }
    return handle
  }

  private static func opened(_ path: String, _ flags: Int32) throws -> FileHandle {
    let descriptor = unsafe open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { throw SupportError.system("open \(path)") }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }
}
