/// What a journal comes to at most, so that its space can be taken before the first write.
package enum JournalSize {
  /// Bytes of a checkpoint record without its entries, at most.
  package static let checkpointByteCountMax: UInt64 = 88
  /// Until so many checkpoints, one may hold a single entry: hours of a merge, and little space.
  private static let smallCheckpointCountMax: UInt64 = 4 << 10
  /// Behind that, a checkpoint that is due by time waits for this many entries, so that what fills up
  /// its last block comes to little.
  private static let entryCountMin = 512
  /// Header and the first run's record, whose texts are bounded by the system's longest path.
  private static let beginByteCountMax: UInt64 = 32 << 10

  /// Whether a checkpoint that is due by time may be made of so few entries.
  package static func allowsCheckpoint(of entryCount: Int, after checkpointCount: UInt64) -> Bool {
    entryCount >= entryCountMin || checkpointCount < smallCheckpointCountMax
  }

  /// The largest size of the journal of a merge that is never interrupted and meets no bad spot.
  package static func byteCountMax(
    transferCount: UInt64, endByteOffset: UInt64, ioByteCount: UInt64
  ) -> UInt64 {
    let entry =
      variableByteCount(endByteOffset / RangePacker.unitByteCount)
      + variableByteCount(ioByteCount / RangePacker.unitByteCount) + 4
    let checkpoints = min(
      transferCount, smallCheckpointCountMax + transferCount / UInt64(entryCountMin))
    // Besides the checkpoints, that the merge is finished and that it is verified.
    let appends = checkpoints + 2
    let records = transferCount / UInt64(JournalRecord.entryCountMax) + appends
    return beginByteCountMax + transferCount * entry + records * checkpointByteCountMax
      + appends * JournalEncoder.appendAlignmentByteCount
  }

  private static func variableByteCount(_ number: UInt64) -> UInt64 {
    UInt64(max(1, (64 - number.leadingZeroBitCount + 6) / 7))
  }
}
