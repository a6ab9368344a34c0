/// The holes of a sparse target, which get disk space before the first write, so that it cannot run out.
struct TargetHoles {
  private let file: OpenFile
  private let interruption: Interruption

  /// - `file`: the target; it is enough to have it open for reading, unless holes are allocated.
  init(_ file: OpenFile, interruption: Interruption) {
    self.file = file
    self.interruption = interruption
  }

  /// Allocates the holes that blocks of `stream` go to, from `byteOffset` on.
  ///
  /// Precondition: ``checkRoom(under:from:)`` was asked.
  /// - Throws: `MergeError` (`refused`) where there is no room after all, by a quota or since others took it.
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

  /// Asks whether the holes that blocks of `stream` go to fit into the file system.
  ///
  /// What was allocated could not be given back: a hole and zeroes that somebody wrote look alike.
  ///
  /// - Throws: `MergeError` (`refused`) where they do not.
  func checkRoom<Source: RunSource & ~Copyable>(
    under stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    guard hasAny else { return }
    // Where all holes fit, nobody has to look for those that blocks go to.
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

  /// Takes the next blocks of the stream that lie on the target; nil where there are no more.
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
