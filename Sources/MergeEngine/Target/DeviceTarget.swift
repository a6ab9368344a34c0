internal import SystemPackage

/// The device or file that a merge writes to: open for writing, and kept from everybody else.
struct DeviceTarget {
  let file: OpenFile
  /// The same through the page cache, for the unaligned rest at its end.
  let buffered: OpenFile

  /// Opens and locks what is at `path`, which has to be the file that was looked at before.
  ///
  /// - `use`: what keeps everybody else off it.
  /// - Throws: `MergeError`: `busy` where somebody else uses it.
  init(
    _ path: String, use: OriginUse, lookedAt looked: OpenFile
  ) throws(MergeError) {
    file = try OpenFile(path, role: "origin", access: .readWrite, exclusive: use == .exclusive)
    try Self.take(file)
    buffered = try OpenFile(path, role: "origin", access: .readWrite, direct: false)
    guard file.isSameFile(as: looked), buffered.isSameFile(as: looked) else {
      throw MergeError(
        .refused, "cannot use the origin", at: path,
        because: "it was replaced while being opened",
        hint: "see what replaces it, then give the same command again")
    }
  }

  private static func take(_ origin: OpenFile) throws(MergeError) {
    let isLocked: Bool
    do throws(Errno) {
      isLocked = try origin.lock()
    } catch {
      throw MergeError(
        .refused, "cannot lock the origin", at: origin.path, because: "\(error)",
        hint: "its file system has to be one with locks")
    }
    guard isLocked else {
      throw MergeError(
        .busy, "the origin is in use", at: origin.path,
        because: "another program has it locked, perhaps another merge",
        hint: "'lsof \(origin.path.shellQuoted)' shows which")
    }
    guard origin.kind == .regularFile else { return }
    guard !origin.isSwap else {
      throw MergeError(
        .busy, "the origin is in use", at: origin.path, because: "the system swaps to it",
        hint: "'swapoff \(origin.path.shellQuoted)' frees it")
    }
    try LoopDevice.checkNone(
      over: origin, "what uses that device would not see the merge, or destroy it")
    guard !origin.hasForeignLock else {
      throw MergeError(
        .busy, "the origin is in use", at: origin.path,
        because: "another program holds a lock on it, perhaps a virtual machine",
        hint: "'lsof \(origin.path.shellQuoted)' shows which; end it first")
    }
  }

  /// Takes disk space for a hole; false where the file system cannot take space in advance.
  func allocate(_ range: ByteRange) throws(MergeError) -> Bool {
    do throws(Errno) {
      try file.allocate(range)
      return true
    } catch {
      if error == .notSupported { return false }
      throw MergeError(
        .refused, "no room for the holes of the origin", at: file.path,
        because: "bytes \(range.start) to \(range.end): \(error)",
        hint: "make room on its file system, then give the same command again")
    }
  }

  /// Extends the file, durably; nil leaves it as it is.
  func grow(to byteCount: UInt64?) throws(MergeError) {
    guard let byteCount, byteCount > file.byteCount else { return }
    do throws(Errno) {
      try file.setByteCount(byteCount)
      try file.synchronize()
    } catch {
      throw MergeError(
        .stopped, "cannot extend the origin", at: file.path,
        because: "to \(byteCount) bytes: \(error)")
    }
  }
}
