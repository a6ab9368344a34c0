/// Numbers records and encodes them into appends to one journal.
///
/// Each append starts in a new block of the file, so a torn write of a block cannot destroy a
/// record that was already durable.
package struct JournalEncoder {
  /// The alignment of appends in bytes; no device in use has larger sectors.
  package static let appendAlignmentByteCount: UInt64 = 4096

  /// The byte offset of the next append.
  package private(set) var endByteOffset: UInt64
  private var nextSequence: UInt64
  /// The sequence number of the first record added since the last append.
  private var appendSequence: UInt64
  private let headerChecksum: UInt32
  private let dataBlockByteCount: UInt64
  private var writer = ByteWriter()
  /// A buffer that is reused to avoid an allocation for each record.
  private var payload = ByteWriter()

  /// Creates an encoder that continues a journal.
  ///
  /// - `endByteOffset`: the byte offset at which the last record ends.
  package init(
    endByteOffset: UInt64, nextSequence: UInt64, headerChecksum: UInt32, dataBlockByteCount: UInt64
  ) {
    self.endByteOffset = endByteOffset.roundedUp(toMultipleOf: Self.appendAlignmentByteCount)
    self.nextSequence = nextSequence
    appendSequence = nextSequence
    self.headerChecksum = headerChecksum
    self.dataBlockByteCount = dataBlockByteCount
  }

  /// The total size in bytes of the records added since the last append.
  package var pendingByteCount: Int { writer.bytes.count }

  package mutating func add(_ record: JournalRecord) {
    RecordFrame.append(
      record, sequence: nextSequence, appendSequence: appendSequence,
      headerChecksum: headerChecksum, dataBlockByteCount: dataBlockByteCount,
      payload: &payload, to: &writer)
    nextSequence += 1
  }

  /// Returns the bytes of the next append: the added records, padded with zeros.
  package mutating func appendBytes() -> [UInt8] {
    writer.pad(toMultipleOf: Int(Self.appendAlignmentByteCount))
    return writer.bytes
  }

  /// Starts the next append, once the current one has been written.
  package mutating func advance() {
    endByteOffset += UInt64(writer.bytes.count)
    writer.removeAll()
    appendSequence = nextSequence
  }
}
