/// The holes in a sparse target, which are allocated before the first write so that the merge
/// cannot run out of disk space later.
struct TargetHoles {
  private let file: OpenFile
  private let interruption: Interruption

  /// Prepares to check and allocate the holes in a target.
  ///
  /// - `file`: the target, open at least for reading.
  init(_ file: OpenFile, interruption: Interruption) {
    self.file = file
    self.interruption = interruption
  }

  /// Allocates the holes in the target that blocks of `stream` will be written to, starting at
  /// `byteOffset`.
  ///
  /// - Precondition: ``checkRoom(under:from:)`` was called and did not throw.
  /// - Throws: `MergeError` (`refused`) if the space turns out not to be available, because of a
  ///   quota or because other processes used it up.
  func allocate<Source: RunSource & ~Copyable>(
    in target: DeviceTarget, under stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    guard hasAny else { return }
    try stream.restart(from: byteOffset)
    var open: ByteRange?
    while let range = try next(stream) {
      if let before = open, before.end == range.start {
        open = ByteRange(start: before.start, end: range.end)
        continue
      }
      if let open, try !target.allocate(open) { return }
      open = range
    }
    if let open { _ = try target.allocate(open) }
  }

  private var hasAny: Bool {
    file.kind == .regularFile && file.allocatedByteCount < file.byteCount
  }

  /// Checks that the file system has enough space for the holes that blocks of `stream` will be
  /// written to, starting at `byteOffset`.
  ///
  /// The check is made before any space is allocated, because allocated space cannot be released
  /// later: a former hole looks the same as zeros that another program wrote.
  ///
  /// - Throws: `MergeError` (`refused`) if there is not enough space.
  func checkRoom<Source: RunSource & ~Copyable>(
    under stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    guard hasAny else { return }
    // If there is enough space for all of the file's holes, there is no need to find those that
    // will be written to.
    guard let free = file.freeByteCount, free < file.byteCount - file.allocatedByteCount
    else { return }
    try stream.restart(from: byteOffset)
    var needed: UInt64 = 0
    while let range = try next(stream) {
      guard let count = file.holeByteCount(in: range) else { return }
      needed += count
    }
    guard needed <= free else {
      throw .noRoomForHoles(file.path, byteCount: needed, free: free)
    }
  }

  /// Consumes the next segment of `stream` and returns the part of it that lies within the target;
  /// nil if there is none left.
  private func next<Source: RunSource & ~Copyable>(
    _ stream: SegmentStream<Source>
  ) throws(MergeError) -> ByteRange? {
    guard let segment = try stream.peek(), segment.targetByteOffset < file.byteCount else {
      return nil
    }
    guard !interruption.isRequested else { throw .interruptedAllocating(file.path) }
    stream.take(segment.byteCount)
    return ByteRange(
      start: segment.targetByteOffset,
      end: min(segment.targetByteOffset + segment.byteCount, file.byteCount))
  }
}
