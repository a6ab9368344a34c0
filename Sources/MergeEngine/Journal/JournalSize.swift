/// The largest size of a journal, so that its space can be allocated before the first write.
package enum JournalSize {
  /// The largest size of a checkpoint record without its entries.
  package static let checkpointByteCountMax: UInt64 = 88
  /// The number of checkpoints that may contain a single entry: hours of a merge, and little space.
  private static let smallCheckpointCountMax: UInt64 = 4 << 10
  /// The fewest entries of a later checkpoint that is due by time, so that the padding of its last
  /// block stays small.
  private static let entryCountMin = 512
  /// The header and the first run's record, whose texts are bounded by the system's longest path.
  private static let beginByteCountMax: UInt64 = 32 << 10

  /// Returns true if a checkpoint that is due by time may have so few entries.
  package static func allowsCheckpoint(of entryCount: Int, after checkpointCount: UInt64) -> Bool {
    entryCount >= entryCountMin || checkpointCount < smallCheckpointCountMax
  }

  /// Returns the largest journal of a merge that is never interrupted and has no unreadable range.
  package static func byteCountMax(
    transferCount: UInt64, endByteOffset: UInt64, ioByteCount: UInt64
  ) -> UInt64 {
    let entry =
      variableByteCount(endByteOffset / RangePacker.unitByteCount)
      + variableByteCount(ioByteCount / RangePacker.unitByteCount) + 4
    let checkpoints = min(
      transferCount, smallCheckpointCountMax + transferCount / UInt64(entryCountMin))
    // The two further appends record that the merge is finished and that it is verified.
    let appends = checkpoints + 2
    let records = transferCount / UInt64(JournalRecord.entryCountMax) + appends
    return beginByteCountMax + transferCount * entry + records * checkpointByteCountMax
      + appends * JournalEncoder.appendAlignmentByteCount
  }

  private static func variableByteCount(_ number: UInt64) -> UInt64 {
    UInt64(max(1, (64 - number.leadingZeroBitCount + 6) / 7))
  }
}
