/// Numbers records and encodes them for the end of one journal, append by append.
///
/// Each append has blocks of the file to itself: a device that tears a block which it is just writing
/// cannot take a record with it that was durable before.
package struct JournalEncoder {
  /// Where an append may begin: no device that is in use has larger sectors.
  package static let appendAlignmentByteCount: UInt64 = 4096

  /// Where the next append goes.
  package private(set) var endByteOffset: UInt64
  private var nextSequence: UInt64
  /// The first record that was added since the last append.
  private var appendSequence: UInt64
  private let headerChecksum: UInt32
  private let dataBlockByteCount: UInt64
  private var writer = ByteWriter()
  /// Kept from record to record, so that it need not grow again.
  private var payload = ByteWriter()

  /// - `endByteOffset`: where the last record ends.
  package init(
    endByteOffset: UInt64, nextSequence: UInt64, headerChecksum: UInt32, dataBlockByteCount: UInt64
  ) {
    self.endByteOffset = endByteOffset.roundedUp(toMultipleOf: Self.appendAlignmentByteCount)
    self.nextSequence = nextSequence
    appendSequence = nextSequence
    self.headerChecksum = headerChecksum
    self.dataBlockByteCount = dataBlockByteCount
  }

  /// Bytes of the records that were added since the last append.
  package var pendingByteCount: Int { writer.bytes.count }

  package mutating func add(_ record: JournalRecord) {
    RecordFrame.append(
      record, sequence: nextSequence, appendSequence: appendSequence,
      headerChecksum: headerChecksum, dataBlockByteCount: dataBlockByteCount,
      payload: &payload, to: &writer)
    nextSequence += 1
  }

  /// The next append as it goes into the file: the records that were added, then zeros.
  package mutating func appendBytes() -> [UInt8] {
    writer.pad(toMultipleOf: Int(Self.appendAlignmentByteCount))
    return writer.bytes
  }

  /// The append is in the file.
  package mutating func advance() {
    endByteOffset += UInt64(writer.bytes.count)
    writer.removeAll()
    appendSequence = nextSequence
  }
}
