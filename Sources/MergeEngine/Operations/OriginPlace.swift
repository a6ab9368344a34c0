/// The path of an origin that a report names, and the files that it must still lead to.
struct OriginPlace {
  private let origin: OpenFile
  /// The origin and the file under its loop devices, as far as a path led to each at first.
  private let named: [OpenFile]
  private let byteCountMin: UInt64

  /// - `backing`: the origin itself, or the file under it where it is a loop device; nil for a
  ///   disk.
  /// - `grownByteCount`: the new size of the origin; nil if it is not extended.
  init(_ origin: OpenFile, backing: OpenFile?, grownByteCount: UInt64? = nil) {
    self.origin = origin
    // A deleted file can be opened through /proc, but the links there then lead nowhere.
    let isNamed = FileSystem.resolved(origin.path) != nil && origin.isStillAtItsPath
    named =
      (isNamed ? [origin] : [])
      + [backing].compactMap { $0 }.filter { !$0.isSameFile(as: origin) && $0.isStillAtItsPath }
    byteCountMin = max(origin.byteCount, grownByteCount ?? 0)
  }

  /// An origin that is only compared.
  init(compared origin: OpenFile) {
    self.init(
      origin, backing: origin.kind == .blockDevice ? StorageExtent(origin).openFile() : nil)
  }

  /// True if a path led to the origin at first.
  var isNamed: Bool { named.contains { $0.isSameFile(as: origin) } }

  /// - `journalPath`: the merge's journal; nil if the origin was only compared.
  /// - Throws: `MergeError` (`stopped`) if a path leads to another file or to none, or the
  ///   origin is shorter.
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
  /// Marks the report as incomplete if the origin's path leads elsewhere by now.
  mutating func check(_ place: OriginPlace) {
    guard incomplete == nil else { return }
    do throws(MergeError) {
      try place.check()
    } catch {
      incomplete = error
    }
  }
}
