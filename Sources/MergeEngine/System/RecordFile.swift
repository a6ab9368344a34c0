internal import FoundationEssentials
internal import SystemPackage

/// Locks, writes and removes records of changes that must be undone later.
enum RecordFile {
  /// Locks a record by locking the lock file next to it.
  ///
  /// - `path`: the path of the lock file.
  /// - `timeMax`: how long to retry if the record is locked; nil for a few milliseconds.
  /// - Returns: The locked file, which holds the lock while it is open; nil if another run holds
  ///   the lock.
  static func lock(
    _ path: String, role: String, for timeMax: Duration? = nil
  ) throws(Errno) -> OpenFile? {
    try FileSystem.makeFolders(FileSystem.folder(of: path))
    if !FileSystem.exists(path) { _ = try? FileSystem.make(path) }
    guard
      let file = try? OpenFile(
        path, role: role, access: .readWrite, direct: false, onlyRegularFiles: true)
    else { throw .permissionDenied }
    return try file.lock(for: timeMax) ? file : nil
  }

  /// Returns true if a run currently holds the record's lock, without taking the lock.
  static func isLocked(_ path: String, role: String) -> Bool {
    let lockPath = path + ".lock"
    guard FileSystem.exists(lockPath) else { return false }
    let file = try? OpenFile(
      lockPath, role: role, access: .readOnly, direct: false, onlyRegularFiles: true)
    return file?.isLockedByAnother == true
  }

  /// Writes a record durably, replacing any previous version.
  ///
  /// - Precondition: The caller holds the record's lock.
  static func write(_ record: some Encodable, to path: String) throws(Errno) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(record) else { throw .invalidArgument }
    // The caller holds the lock, so if this file exists, it is left over from a run that was
    // killed.
    let temporary = path + ".new"
    if FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
    let file = try FileSystem.make(temporary)
    try FileSystem.append([UInt8](text), to: file)
    try FileSystem.synchronize(file)
    try FileSystem.rename(temporary, to: path)
    try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
  }

  /// Removes a record durably, if it exists.
  static func remove(_ path: String) throws(Errno) {
    if FileSystem.exists(path) { try FileSystem.remove(path) }
    try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
  }
}
