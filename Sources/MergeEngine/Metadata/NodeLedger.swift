/// The nodes that were read and their checksums, so that a second pass can detect a changed tree.
///
/// One bit and four bytes per metadata block, allocated as they are touched.
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

  /// Begins comparing nodes with the first pass.
  package mutating func beginComparing() { pass = .comparing }

  /// - Throws: `MetadataFault` for a node reached twice in the first pass (a cycle, or two
  ///   parents), and for a node in a later pass that differs from the first pass.
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
