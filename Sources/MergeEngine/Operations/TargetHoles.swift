/// The holes of a sparse target, which get disk space before the first write, so that it cannot run out.
struct TargetHoles {
  private let target: DeviceTarget
  private let interruption: Interruption

  init(_ target: DeviceTarget, interruption: Interruption) {
    self.target = target
    self.interruption = interruption
  }

  /// Allocates the holes that blocks of `stream` go to, from `byteOffset` on.
  ///
  /// - Throws: `MergeError` (`refused`) where there is no room; nothing was allocated then, unless a quota
  ///   ended it half way.
  func allocate<Source: RunSource & ~Copyable>(
    under stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    let file = target.file
    guard file.kind == .regularFile, file.allocatedByteCount < file.byteCount else { return }
    try checkRoom(stream, from: byteOffset)
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

  /// Asks whether the holes fit into the file system.
  ///
  /// What was allocated could not be given back: a hole and zeroes that somebody wrote look alike.
  private func checkRoom<Source: RunSource & ~Copyable>(
    _ stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    let file = target.file
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
    let file = target.file
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
