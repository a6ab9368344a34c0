/// The superblock of a thin pool: the live one in block 0, or a metadata snapshot's copy.
///
/// | offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 4 | checksum |
/// | 4 | 4 | flags; bit 0: needs_check |
/// | 8 | 8 | own block number |
/// | 32 | 8 | magic, 27022010 |
/// | 40 | 4 | version, 1 or 2 |
/// | 44 | 4 | time: the pool's snapshot counter |
/// | 48 | 8 | transaction id |
/// | 56 | 8 | held root: block of the metadata snapshot, 0 for none |
/// | 64 | 8 | data blocks (first field of the data space map's root) |
/// | 192 | 8 | metadata blocks (first field of the metadata space map's root) |
/// | 320 | 8 | root of the mapping tree |
/// | 328 | 8 | root of the details tree |
/// | 336 | 4 | data block size in sectors |
/// | 340 | 4 | metadata block size in sectors, always 8 |
/// | 360 | 4 | features that a reader must support; none exist |
///
/// All fields are little endian; see dm-thin-metadata.c, struct thin_disk_superblock.
package struct Superblock: Equatable, Sendable {
  package static let magic: UInt64 = 27_022_010
  package static let sectorByteCount: UInt64 = 512
  /// The range of valid data block sizes in bytes; every size must be a multiple of the smallest
  /// one.
  package static let dataBlockByteCountRange: ClosedRange<UInt64> = (64 << 10)...(1 << 30)
  /// The maximum time: the 64 bits of a mapping contain a data block number and a 24-bit time.
  package static let timeMax: UInt32 = (1 << 24) - 1

  /// True if the pool is marked needs_check; `PoolMetadata` refuses such a pool by default.
  package var needsCheck: Bool
  package var time: UInt32
  package var transactionID: UInt64
  package var heldRoot: MetadataBlock?
  package var dataBlockCount: UInt64
  package var metadataBlockCount: UInt64
  package var mappingRoot: MetadataBlock
  package var detailsRoot: MetadataBlock
  package var dataBlockByteCount: UInt64

  /// Returns true if the file or device at `path` begins with a pool's superblock.
  static func isFirst(in path: String) -> Bool {
    guard let bytes = FileSystem.firstBytes(of: path, count: 40), bytes.count == 40 else {
      return false
    }
    return RawSpan(_elements: bytes.span).littleEndian(at: 32, as: UInt64.self) == magic
  }

  /// Decodes the superblock in `bytes`, which were read from `block`.
  ///
  /// - Throws: `MetadataFault` if `bytes` are not a superblock, are damaged, or require an unknown
  ///   feature.
  package init(_ bytes: RawSpan, at block: MetadataBlock) throws(MetadataFault) {
    let magic = bytes.littleEndian(at: 32, as: UInt64.self)
    guard magic == Self.magic else {
      let all = bytes.copiedBytes(at: 0, count: bytes.byteCount)
      throw .notSuperblock(
        block, isEmpty: all.allSatisfy { $0 == 0 }, first: Array(all.prefix(16)))
    }
    try BlockKind.superblock.check(bytes, of: block)
    let own = bytes.littleEndian(at: 8, as: UInt64.self)
    guard own == block.rawValue else {
      throw .superblockMisplaced(block, says: own)
    }
    let version = bytes.littleEndian(at: 40, as: UInt32.self)
    guard (1...2).contains(version) else {
      throw .superblockVersion(block, version)
    }
    let incompatible = bytes.littleEndian(at: 360, as: UInt32.self)
    guard incompatible == 0 else {
      throw .incompatibleFeatures(block, incompatible)
    }
    let sectorCount = bytes.littleEndian(at: 336, as: UInt32.self)
    guard (128...2_097_152).contains(sectorCount), sectorCount.isMultiple(of: 128) else {
      throw .dataBlockSize(block, sectorCount: sectorCount)
    }
    let metadataSectorCount = bytes.littleEndian(at: 340, as: UInt32.self)
    guard metadataSectorCount == 8 else {
      throw .metadataBlockSize(block, sectorCount: metadataSectorCount)
    }
    time = bytes.littleEndian(at: 44, as: UInt32.self)
    guard time <= Self.timeMax else {
      throw .snapshotCounter(block, time, max: Self.timeMax)
    }
    needsCheck = bytes.littleEndian(at: 4, as: UInt32.self) & 1 != 0
    transactionID = bytes.littleEndian(at: 48, as: UInt64.self)
    let held = bytes.littleEndian(at: 56, as: UInt64.self)
    heldRoot = held == 0 ? nil : MetadataBlock(held)
    dataBlockCount = bytes.littleEndian(at: 64, as: UInt64.self)
    metadataBlockCount = bytes.littleEndian(at: 192, as: UInt64.self)
    mappingRoot = MetadataBlock(bytes.littleEndian(at: 320, as: UInt64.self))
    detailsRoot = MetadataBlock(bytes.littleEndian(at: 328, as: UInt64.self))
    dataBlockByteCount = UInt64(sectorCount) * Self.sectorByteCount
  }
}
