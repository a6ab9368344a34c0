/// Numbers records and encodes them for the end of one journal.
package struct JournalEncoder {
  /// Where the next record goes.
  package private(set) var endByteOffset: UInt64
  private var nextSequence: UInt64
  /// The first record that was added since the last append.
  private var appendSequence: UInt64
  private let headerChecksum: UInt32
  private let dataBlockByteCount: UInt64
  private var writer = ByteWriter()

  package init(
    endByteOffset: UInt64, nextSequence: UInt64, headerChecksum: UInt32, dataBlockByteCount: UInt64
  ) {
    self.endByteOffset = endByteOffset
    self.nextSequence = nextSequence
    appendSequence = nextSequence
    self.headerChecksum = headerChecksum
    self.dataBlockByteCount = dataBlockByteCount
  }

  /// Records that were added and not yet taken to have been written.
  package var pendingBytes: [UInt8] { writer.bytes }
  package var pendingByteCount: Int { writer.bytes.count }

  package mutating func add(_ record: JournalRecord) {
    RecordFrame.append(
      record, sequence: nextSequence, appendSequence: appendSequence,
      headerChecksum: headerChecksum,
      dataBlockByteCount: dataBlockByteCount, to: &writer)
    nextSequence += 1
  }

  /// The pending records are in the file.
  package mutating func advance() {
    endByteOffset += UInt64(writer.bytes.count)
    writer.removeAll()
    appendSequence = nextSequence
  }
}
