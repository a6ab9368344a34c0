/// The nodes read so far and their checksums, so that a second pass can detect changes to a tree.
///
/// The ledger needs one bit and four bytes per metadata block; memory is allocated when it is first
/// touched.
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

  /// Starts comparing nodes with the ones recorded in the first pass.
  package mutating func beginComparing() { pass = .comparing }

  /// Records a node in the first pass, or compares it with the recorded one in a later pass.
  ///
  /// - Throws: `MetadataFault` if a node is reached twice in the first pass (because of a cycle or
  ///   two parents), or if a node in a later pass differs from the first pass.
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
