/// Which nodes were read and with which checksums, so that a second pass can tell whether it reads
/// the same tree.
///
/// One bit and four bytes for each metadata block, taken as touched.
package struct NodeLedger: ~Copyable {
  private enum Pass { case recording, comparing }

  private var pass = Pass.recording
  private var seen: PagedBitmap
  private var checksums: PagedNumbers

  package init(metadataBlockCount: UInt64) throws(MergeError) {
    let seen = try PagedBitmap(bitCount: metadataBlockCount)
    let checksums = try PagedNumbers(count: metadataBlockCount)
    self.seen = seen
    self.checksums = checksums
  }

  /// From here on nodes are compared with what was recorded.
  package mutating func beginComparing() { pass = .comparing }

  /// - Throws: `MetadataFault` for a node met twice in the first pass (a cycle, or two parents), and
  ///   for one in a later pass that is not as the first pass saw it.
  package mutating func enter(
    _ block: MetadataBlock, checksum: UInt32
  ) throws(MetadataFault) {
    switch pass {
    case .recording:
      guard seen.insert(block.rawValue) else {
        throw .reachedTwice(block)
      }
      checksums[block.rawValue] = checksum
    case .comparing:
      guard seen.contains(block.rawValue), checksums[block.rawValue] == checksum else {
        throw .nodeChanged(block)
      }
    }
  }
}
