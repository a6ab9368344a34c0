/// The path of an origin as named in a report, and the files that the path must still lead to.
struct OriginPlace {
  private let origin: OpenFile
  /// The origin and the file under its loop devices, omitting either one if no path led to it
  /// initially.
  private let named: [OpenFile]
  private let byteCountMin: UInt64

  /// Records which files the paths of an origin lead to.
  ///
  /// - `backing`: the origin itself or, if it is a loop device, the file under it; nil for a disk.
  /// - `grownByteCount`: the new size of the origin in bytes; nil if it is not extended.
  init(_ origin: OpenFile, backing: OpenFile?, grownByteCount: UInt64? = nil) {
    self.origin = origin
    // A deleted file can be opened through a link in /proc, but that link does not lead to an
    // existing path.
    let isNamed = FileSystem.resolved(origin.path) != nil && origin.isStillAtItsPath
    named =
      (isNamed ? [origin] : [])
      + [backing].compactMap { $0 }.filter { !$0.isSameFile(as: origin) && $0.isStillAtItsPath }
    byteCountMin = max(origin.byteCount, grownByteCount ?? 0)
  }

  /// Records which files the paths of an origin lead to, for an origin that is only compared.
  init(compared origin: OpenFile) {
    self.init(
      origin, backing: origin.kind == .blockDevice ? StorageExtent(origin).openFile() : nil)
  }

  /// True if a path led to the origin initially.
  var isNamed: Bool { named.contains { $0.isSameFile(as: origin) } }

  /// Checks that the origin's paths still lead to the same files, and that the origin has not
  /// become shorter.
  ///
  /// - `journalPath`: the path of the merge's journal; nil if the origin was only compared.
  /// - Throws: `MergeError` (`stopped`) if a path now leads to a different file or to none, or if
  ///   the origin has become shorter.
  func check(journalPath: String? = nil) throws(MergeError) {
    if let moved = named.first(where: { !$0.isStillAtItsPath }) {
      throw .originMoved(origin.path, file: moved.path, journalPath: journalPath)
    }
    let byteCount = try origin.byteCountNow()
    guard byteCount >= byteCountMin else {
      throw .originShortened(
        origin.path, byteCount: byteCount, before: byteCountMin, journalPath: journalPath)
    }
  }
}

extension VerifyReport {
  /// Marks the report as incomplete if the origin's path no longer leads to the origin, or if the
  /// origin has become shorter.
  mutating func check(_ place: OriginPlace) {
    guard incomplete == nil else { return }
    do throws(MergeError) {
      try place.check()
    } catch {
      incomplete = error
    }
  }
}
