import Foundation

/// Holds a file or device in the ways that other programs do.
enum HeldFile {
  /// Opens a block device with O_EXCL, as a mount or another merge would.
  static func exclusively(_ path: String) throws -> FileHandle {
    try opened(path, O_RDONLY | O_EXCL)
  }

  /// Takes an open-file-description write lock, as qemu does on a disk image.
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

  /// Takes an exclusive flock, as another merge does on a regular file.
  static func withFileLock(_ path: String) throws -> FileHandle {
    try locked(path, LOCK_EX)
  }

  /// Takes a shared flock, which allows other shared locks but no exclusive lock.
  static func withSharedFileLock(_ path: String) throws -> FileHandle {
    try locked(path, LOCK_SH)
  }

  /// Returns true if the file is already locked by another open file.
  static func isLocked(_ path: String) -> Bool {
    (try? locked(path, LOCK_EX)) == nil
  }

  /// Takes a lease, so that opening the file for writing blocks until this handle is closed.
  static func withLease(_ path: String) throws -> FileHandle {
    let handle = try opened(path, O_RDONLY)
    // F_SETSIG and F_SETLEASE are not imported.
    let (setSignal, setLease): (Int32, Int32) = (10, 1024)
    // A lease break sends SIGURG, which is ignored; the default signal would kill the process. A
    // program that another test is starting briefly holds copies of this process's descriptors,
    // perhaps one open for writing, so taking the lease is retried.
    guard fcntl(handle.fileDescriptor, setSignal, SIGURG) == 0,
      poll({ fcntl(handle.fileDescriptor, setLease, Int32(F_RDLCK)) == 0 })
    else { throw SupportError.system("take a lease on \(path)") }
    return handle
  }

  /// Returns true if another open is blocked, waiting for the lease to be released.
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
