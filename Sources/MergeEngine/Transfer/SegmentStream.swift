/// A source's runs as segments, starting at a given byte of the target and clipped at the effective
/// end.
///
/// This is a class because successive sweeps read from it and none of them owns it.
package final class SegmentStream<Source: RunSource & ~Copyable> {
  package let cuts: TransferCuts
  private var source: Source
  private let dataBlockByteCount: UInt64
  private var batch = RunBatch()
  private var nextRun = 0
  private var current: Segment?
  private var firstByteOffset: UInt64 = 0

  /// - Precondition: The source's first pass is complete. Call `restart` to begin the stream.
  package init(
    _ source: consuming Source, dataBlockByteCount: UInt64, cuts: TransferCuts
  ) {
    self.source = source
    self.dataBlockByteCount = dataBlockByteCount
    self.cuts = cuts
  }

  /// Restarts the stream at the given byte of the target.
  package func restart(from byteOffset: UInt64) throws(MergeError) {
    try source.restart(from: ThinBlock(byteOffset / dataBlockByteCount))
    batch.removeAll()
    nextRun = 0
    current = nil
    firstByteOffset = byteOffset
  }

  /// Returns the rest of the next segment without consuming it; nil after the last.
  package func peek() throws(MergeError) -> Segment? {
    while current == nil {
      guard nextRun < batch.runs.count else {
        batch.removeAll()
        guard try source.next(&batch, atMost: 1) else { return nil }
        nextRun = 0
        continue
      }
      current = clipped(batch.runs[nextRun])
      nextRun += 1
    }
    return current
  }

  private func clipped(_ run: MappingRun) -> Segment? {
    let start = run.thinBlock.rawValue * dataBlockByteCount
    let end = min(start + run.blockCount * dataBlockByteCount, cuts.endByteOffset)
    let first = max(start, firstByteOffset)
    guard first < end else { return nil }
    return Segment(
      dataByteOffset: run.dataBlock.rawValue * dataBlockByteCount + (first - start),
      targetByteOffset: first, byteCount: end - first)
  }

  /// Consumes the first bytes of the next segment.
  ///
  /// - Precondition: `peek` returned a segment with at least `byteCount` bytes.
  package func take(_ byteCount: UInt64) {
    guard let segment = current else { preconditionFailure("nothing was peeked at") }
    precondition(byteCount <= segment.byteCount)
    current =
      byteCount == segment.byteCount
      ? nil
      : Segment(
        dataByteOffset: segment.dataByteOffset + byteCount,
        targetByteOffset: segment.targetByteOffset + byteCount,
        byteCount: segment.byteCount - byteCount)
  }

  /// Skips everything before the given byte of the target.
  package func skip(to byteOffset: UInt64) throws(MergeError) {
    while let segment = try peek(), segment.targetByteOffset < byteOffset {
      take(min(segment.byteCount, byteOffset - segment.targetByteOffset))
    }
  }
}

extension CheckedPlan where Source: ~Copyable {
  /// Returns the source's runs as a stream; call `restart` before reading from it.
  package consuming func segments(cuts: TransferCuts) -> SegmentStream<Source> {
    SegmentStream(source, dataBlockByteCount: plan.dataBlockByteCount, cuts: cuts)
  }
}
