internal import FoundationEssentials
internal import SystemPackage

/// Locks and writes records of changes that must be undone.
enum RecordFile {
  /// Locks a record through the file beside it.
  ///
  /// - `path`: the file beside the record.
  /// - `timeMax`: how long to retry; nil for an instant.
  /// - Returns: The lock; nil if another run has it.
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

  /// Returns true if a run has the record locked, without locking it.
  static func isLocked(_ path: String, role: String) -> Bool {
    let lockPath = path + ".lock"
    guard FileSystem.exists(lockPath) else { return false }
    let file = try? OpenFile(
      lockPath, role: role, access: .readOnly, direct: false, onlyRegularFiles: true)
    return file?.isLockedByAnother == true
  }

  /// Replaces a record, durably.
  ///
  /// - Precondition: The caller has the record's lock.
  static func write(_ record: some Encodable, to path: String) throws(Errno) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(record) else { throw .invalidArgument }
    // The caller has the lock, so this file is left over from a killed run.
    let temporary = path + ".new"
    if FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
    let file = try FileSystem.make(temporary)
    try FileSystem.append([UInt8](text), to: file)
    try FileSystem.synchronize(file)
    try FileSystem.rename(temporary, to: path)
    try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
  }

  /// Removes a record, if there is one, durably.
  static func remove(_ path: String) throws(Errno) {
    if FileSystem.exists(path) { try FileSystem.remove(path) }
    try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
  }
}
