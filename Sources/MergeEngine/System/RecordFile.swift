internal import FoundationEssentials
internal import SystemPackage

/// How a record of what is to be undone is locked and written.
enum RecordFile {
  /// Locks a record by the file beside it.
  ///
  /// - `timeMax`: how long it is tried for; nil for an instant.
  /// - Returns: nil where another run has it.
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

  /// Returns whether a run has a record, without keeping anybody from it.
  static func isLocked(_ path: String, role: String) -> Bool {
    let lockPath = path + ".lock"
    guard FileSystem.exists(lockPath) else { return false }
    let file = try? OpenFile(
      lockPath, role: role, access: .readOnly, direct: false, onlyRegularFiles: true)
    return file?.isLockedByAnother == true
  }

  /// Writes a record durably in the place of the one before, whose lock the caller has.
  static func write(_ record: some Encodable, to path: String) throws(Errno) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(record) else { throw .invalidArgument }
    // The lock is ours, so what stands there is of a run that was killed.
    let temporary = path + ".new"
    if FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
    let file = try FileSystem.make(temporary)
    try FileSystem.append([UInt8](text), to: file)
    try FileSystem.synchronize(file)
    try FileSystem.rename(temporary, to: path)
    try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
  }

  /// Removes a record durably, if there is one.
  static func remove(_ path: String) throws(Errno) {
    if FileSystem.exists(path) { try FileSystem.remove(path) }
    try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
  }
}
