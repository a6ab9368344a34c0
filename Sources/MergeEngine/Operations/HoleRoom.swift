/// Asks whether the holes of a sparse origin fit into its file system, before the first of them is allocated.
///
/// What was allocated could not be given back: a hole and zeroes that somebody wrote look alike.
struct HoleRoom {
  private let origin: OpenFile
  private let interruption: Interruption

  init(_ origin: OpenFile, interruption: Interruption) {
    self.origin = origin
    self.interruption = interruption
  }

  /// - `byteOffset`: where the blocks begin that will be written.
  /// - Throws: `MergeError` (`refused`) where there is no room. Quotas are met only when space is taken.
  func check<Source: RunSource & ~Copyable>(
    _ stream: SegmentStream<Source>, from byteOffset: UInt64
  ) throws(MergeError) {
    // Where all holes fit, nobody has to look for those that blocks go to.
    guard let free = origin.freeByteCount, free < origin.byteCount - origin.allocatedByteCount
    else { return }
    try stream.restart(from: byteOffset)
    var needed: UInt64 = 0
    while let segment = try stream.peek(), segment.targetByteOffset < origin.byteCount {
      guard !interruption.isRequested else { throw .interruptedAllocating(origin.path) }
      let end = min(segment.targetByteOffset + segment.byteCount, origin.byteCount)
      let range = ByteRange(start: segment.targetByteOffset, end: end)
      guard let count = origin.holeByteCount(in: range) else { return }
      needed += count
      stream.take(segment.byteCount)
    }
    guard needed <= free else {
      throw .noRoomForHoles(origin.path, byteCount: needed, free: free)
    }
  }
}
