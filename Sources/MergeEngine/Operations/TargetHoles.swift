/// The holes of a sparse target, which are allocated before the first write, so that disk space
/// cannot run out later.
struct TargetHoles {
  private let file: OpenFile
  private let interruption: Interruption

  /// - `file`: the target, open at least for reading; open for writing if holes are allocated.
  init(_ file: OpenFile, interruption: Interruption) {
    self.file = file
    self.interruption = interruption
  }

  /// Allocates the holes under blocks of `stream`, from `byteOffset` on.
  ///
  /// - Precondition: ``checkRoom(under:from:)`` did not throw.
  /// - Throws: `MergeError` (`refused`) if there is no room after all, because of a quota or
  ///   other writers.
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

  /// Checks that the holes under blocks of `stream` fit into the file system.
  ///
  /// Allocated space could not be released later: a former hole and zeroes that another program
  /// wrote look alike.
  ///
  /// - Throws: `MergeError` (`refused`) if the holes do not fit.
  func checkRoom<Source: RunSource & ~Copyable>(
    under stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    guard hasAny else { return }
    // If all holes fit, the holes under blocks need not be found.
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

  /// Takes the stream's next blocks that lie on the target; returns nil at the end.
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
