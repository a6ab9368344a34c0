import Foundation

/// The trees that a superblock points to.
package struct PoolTrees: Sendable {
  /// The tree from device ids to the roots of mapping trees.
  package let topLevel: TreeShape
  /// The tree from device ids to details.
  package let details: TreeShape
  /// The mapping tree of each device, by device id.
  package let mappings: [UInt64: TreeShape]

  /// Returns the mapping tree of a device.
  ///
  /// - Precondition: The builder was given the device.
  package func mapping(of devID: UInt64) -> TreeShape {
    guard let shape = mappings[devID] else { preconditionFailure("no device \(devID) was built") }
    return shape
  }
}

/// A built pool: its metadata, which tests can damage, and the positions of its parts.
package struct PoolImage: Sendable {
  package var metadata: MetadataImage
  package let blockByteCount: Int
  package let dataBlockCount: Int
  package let devices: [ThinDevice]
  /// The trees of the metadata snapshot.
  package let held: PoolTrees
  package let live: PoolTrees
  /// The metadata block of the held superblock copy; nil without a metadata snapshot.
  package let heldBlock: Int?
  /// The size of the metadata file; nil for the size of the image.
  package var metadataFileByteCount: Int?
  /// The size of the data file; nil for the size of the pool.
  package var dataFileByteCount: Int?
  /// The seed that identifies this pool in the content of its data blocks.
  package var contentSeed: UInt16 = 1

  /// The superblock that an edit changes.
  package enum Superblock: Sendable { case live, held }

  /// Edits a node and repairs its checksum unless told not to.
  package mutating func editNode(
    at block: Int, repairingChecksum: Bool = true, _ edit: (inout NodeEditor) -> Void
  ) {
    var node = NodeEditor(block: metadata[block])
    edit(&node)
    metadata[block] = node.block
    if repairingChecksum { metadata.seal(block, as: .node) }
  }

  /// Edits a superblock and repairs its checksum unless told not to.
  package mutating func editSuperblock(
    _ which: Superblock = .live, repairingChecksum: Bool = true,
    _ edit: (inout SuperblockEditor) -> Void
  ) {
    let block = blockNumber(of: which)
    var superblock = SuperblockEditor(block: metadata[block])
    edit(&superblock)
    metadata[block] = superblock.block
    if repairingChecksum { metadata.seal(block, as: .superblock) }
  }

  /// Flips bits of one byte without repairing the checksum.
  package mutating func flip(_ bits: UInt8, inBlock block: Int, atByte byteOffset: Int) {
    var bytes = metadata[block]
    bytes.bytes[byteOffset] ^= bits
    metadata[block] = bytes
  }

  /// Returns the block number of a superblock.
  ///
  /// - Precondition: For `.held`, a metadata snapshot was built.
  package func blockNumber(of which: Superblock) -> Int {
    switch which {
    case .live: return 0
    case .held:
      guard let heldBlock else { preconditionFailure("no metadata snapshot was built") }
      return heldBlock
    }
  }
}

/// The files of a pool on disk.
package struct PoolFiles: Sendable {
  package let metadata: String
  package let data: String
}

extension PoolImage {
  /// Writes `metadata.img` and a sparse `data.img` into a folder.
  ///
  /// Each sector of a mapped data block contains its position on the data device, unless
  /// `fillingData` is false, which leaves the whole data file a hole.
  package func write(to folder: String, fillingData: Bool = true) throws -> PoolFiles {
    let files = PoolFiles(metadata: folder + "/metadata.img", data: folder + "/data.img")
    var bytes = metadata.data
    if let metadataFileByteCount {
      bytes = bytes.prefix(metadataFileByteCount)
      bytes.append(Data(count: metadataFileByteCount - bytes.count))
    }
    try bytes.write(to: URL(fileURLWithPath: files.metadata))

    let dataByteCount = dataFileByteCount ?? dataBlockCount * blockByteCount
    let data = try SparseFile(creating: files.data, byteCount: dataByteCount)
    if fillingData {
      for block in mappedDataBlocks where (block + 1) * blockByteCount <= dataByteCount {
        let content = SectorContent(source: .data, seed: contentSeed)
        let start = block * blockByteCount
        try data.write(content.bytes(in: start..<(start + blockByteCount)), at: start)
      }
    }
    try data.close()
    return files
  }

  private var mappedDataBlocks: [Int] {
    let blocks = devices.flatMap { $0.mappings.map { Int($0.dataBlock) } }
    return Set(blocks.filter { $0 < dataBlockCount }).sorted()
  }
}
