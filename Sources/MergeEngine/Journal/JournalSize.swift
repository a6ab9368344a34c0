/// Computes the maximum size of a journal, so that its disk space can be allocated before the first
/// write.
package enum JournalSize {
  /// The maximum size in bytes of a checkpoint record, not counting its entries.
  package static let checkpointByteCountMax: UInt64 = 88
  /// The number of checkpoints that may contain as few as one entry: enough for hours of merging,
  /// yet they take up little space.
  private static let smallCheckpointCountMax: UInt64 = 4 << 10
  /// The minimum number of entries in each later checkpoint that is triggered by time, so that
  /// padding wastes little space.
  private static let entryCountMin = 512
  /// The maximum size in bytes of the header plus the first run's record, whose strings are limited
  /// by the system's maximum path length.
  private static let beginByteCountMax: UInt64 = 32 << 10

  /// Returns true if a checkpoint triggered by time may have only `entryCount` entries, given the
  /// number of checkpoints before it.
  package static func allowsCheckpoint(of entryCount: Int, after checkpointCount: UInt64) -> Bool {
    entryCount >= entryCountMin || checkpointCount < smallCheckpointCountMax
  }

  /// Returns the maximum journal size, in bytes, of a merge that is never interrupted and has no
  /// unreadable ranges.
  package static func byteCountMax(
    transferCount: UInt64, endByteOffset: UInt64, ioByteCount: UInt64
  ) -> UInt64 {
    let entry =
      variableByteCount(endByteOffset / RangePacker.unitByteCount)
      + variableByteCount(ioByteCount / RangePacker.unitByteCount) + 4
    let checkpoints = min(
      transferCount, smallCheckpointCountMax + transferCount / UInt64(entryCountMin))
    // The two extra appends record that the merge is finished and that it is verified.
    let appends = checkpoints + 2
    let records = transferCount / UInt64(JournalRecord.entryCountMax) + appends
    return beginByteCountMax + transferCount * entry + records * checkpointByteCountMax
      + appends * JournalEncoder.appendAlignmentByteCount
  }

  private static func variableByteCount(_ number: UInt64) -> UInt64 {
    UInt64(max(1, (64 - number.leadingZeroBitCount + 6) / 7))
  }
}
