internal import SystemPackage

/// Room on disk, taken before it is needed.
extension Merger {
  /// Takes disk space for the holes of a sparse origin where blocks go, so that it cannot run out.
  func allocateHoles(
    of origin: OpenFile, _ stream: SegmentStream<LinuxAIO>, from byteOffset: UInt64
  ) throws(MergeError) {
    guard origin.kind == .regularFile, origin.allocatedByteCount < origin.byteCount else { return }
    try stream.restart(from: byteOffset)
    var open: ByteRange?
    while let segment = try stream.peek(), segment.originByteOffset < origin.byteCount {
      guard !environment.interruption.isRequested else {
        throw MergeError(
          .stopped, "interrupted", at: origin.path,
          because: "a signal came while its holes were being allocated; nothing was written")
      }
      let start = segment.originByteOffset
      let end = min(start + segment.byteCount, origin.byteCount)
      stream.take(segment.byteCount)
      if let range = open, range.end == start {
        open = ByteRange(start: range.start, end: end)
        continue
      }
      if let range = open, try !allocate(range, of: origin) { return }
      open = ByteRange(start: start, end: end)
    }
    if let range = open { _ = try allocate(range, of: origin) }
  }

  /// False where the file system cannot take space in advance.
  private func allocate(_ range: ByteRange, of origin: OpenFile) throws(MergeError) -> Bool {
    do throws(Errno) {
      try origin.allocate(range)
      return true
    } catch {
      if error == .notSupported { return false }
      throw MergeError(
        .refused, "no room for the holes of the origin", at: origin.path,
        because: "bytes \(range.start) to \(range.end): \(error)",
        hint: "make room on its file system, then give the same command again")
    }
  }

  /// Cuts what a crash left behind the last record, and takes the journal's space again.
  func prepare(_ journal: OpenJournal, byteCountMax: UInt64) throws(MergeError) {
    guard !journal.isNew else { return }
    do throws(Errno) {
      // What was read is on the disk since the journal was opened.
      if journal.state.hasTornEnd {
        try journal.file.setByteCount(journal.state.cutByteOffset)
        try journal.file.synchronize()
      }
    } catch {
      throw MergeError(
        .refused, "cannot cut the journal's torn end", at: journal.file.path, because: "\(error)",
        hint:
          "nothing was changed; see to the journal's file system, then give the same command again")
    }
    let planned = Double(max(1, journal.header.plannedByteCount))
    let left = max(0, 1 - Double(journal.state.doneByteCount) / planned)
    try JournalFile.allocate(
      journal.file,
      byteCount: journal.state.endByteOffset + UInt64(Double(byteCountMax) * left) + 64 << 10)
  }

  func grow(_ origin: OpenFile, to byteCount: UInt64?) throws(MergeError) {
    guard let byteCount, byteCount > origin.byteCount else { return }
    do throws(Errno) {
      try origin.setByteCount(byteCount)
      try origin.synchronize()
    } catch {
      throw MergeError(
        .stopped, "cannot extend the origin", at: origin.path,
        because: "to \(byteCount) bytes: \(error)")
    }
  }
}
