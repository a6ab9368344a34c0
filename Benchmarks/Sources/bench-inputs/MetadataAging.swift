internal import MergeEngine
internal import SystemPackage

/// Copies a pool's metadata and scatters the nodes of its only device's mapping tree over the copy.
struct MetadataAging: ~Copyable {
  private static let deviceID: UInt64 = 1
  private static let ownNumberByteOffset = 8

  private let path: String
  private let pool: PoolMetadata
  /// Reads the image as `metadata` and writes the copy as `origin`.
  private var io: LinuxAIO

  /// Makes the copy, as long as the image and empty.
  init(from path: String, to copyPath: String) throws {
    let image = try OpenFile(path, role: "metadata", access: .readOnly, direct: false)
    let made = try FileDescriptor.open(
      FilePath(copyPath), .readWrite, options: [.create, .exclusiveCreate],
      permissions: [.ownerReadWrite, .groupRead, .otherRead])
    try made.closeAfter { try made.resize(to: Int64(image.byteCount)) }
    let copy = try OpenFile(copyPath, role: "copy", access: .readWrite, direct: false)
    var io = try LinuxAIO(
      requestCount: 0, slabByteCount: BlockKind.blockByteCount,
      files: [.metadata: image, .target: copy], clock: Clock(now: { .zero }, sleep: { _ in }))
    pool = try PoolMetadata(
      path: path, byteCount: { image.byteCount }, mappings: .inactivePool,
      ignoresNeedsCheck: false, &io)
    self.io = io
    self.path = path
  }

  /// Fills the copy.
  mutating func scatter(seed: UInt64) throws {
    guard pool.live.heldRoot == nil else { throw unfit("a metadata snapshot is held") }
    let isUsed = try spaceMap()
    let table = pool.superblock.mappingRoot
    let devices = try read(table)
    let node = try node(devices, at: table)
    guard node.isLeaf, node.entryCount == 1, node.key(0, in: devices.span) == Self.deviceID else {
      throw unfit("one device, with number \(Self.deviceID), is expected")
    }
    var nodes: [MetadataBlock] = []
    try collect(MetadataBlock(node.value(0, in: devices.span)), into: &nodes)

    let places = Self.places(of: nodes, isUsed: isUsed, seed: seed)
    // The content of a free block does not matter: the copy keeps a hole there.
    for number in isUsed.indices where isUsed[number] {
      let block = MetadataBlock(UInt64(number))
      var bytes = try read(block)
      let place = places[block]
      if place != nil || block == table {
        let node = try self.node(bytes, at: block)
        // The values in a leaf of the device's tree are mappings, not nodes.
        if block == table || !node.isLeaf { Self.redirect(node, in: &bytes, to: places) }
        bytes[Self.ownNumberByteOffset] = (place ?? block).rawValue
        bytes.seal(as: .btreeNode)
      }
      try write(bytes, at: place ?? block)
    }
  }

  /// Draws a place for each node from what is free, once the nodes are gone.
  private static func places(
    of nodes: [MetadataBlock], isUsed: [Bool], seed: UInt64
  ) -> [MetadataBlock: MetadataBlock] {
    var free = isUsed.indices.filter { !isUsed[$0] }.map { MetadataBlock(UInt64($0)) } + nodes
    var generator = SeededGenerator(seed: seed)
    free.shuffle(using: &generator)
    return Dictionary(uniqueKeysWithValues: zip(nodes, free))
  }

  /// Lets a node's values lead to the new places.
  private static func redirect(
    _ node: BtreeNode, in bytes: inout BlockCopy, to places: [MetadataBlock: MetadataBlock]
  ) {
    for index in 0..<node.entryCount {
      let byteOffset = node.valueByteOffset(index)
      if let place = places[MetadataBlock(bytes[byteOffset])] { bytes[byteOffset] = place.rawValue }
    }
  }

  private mutating func collect(
    _ block: MetadataBlock, into nodes: inout [MetadataBlock]
  ) throws {
    try pool.bounds.check(block, from: nil)
    nodes.append(block)
    let bytes = try read(block)
    let node = try node(bytes, at: block)
    guard !node.isLeaf else { return }
    for index in 0..<node.entryCount {
      try collect(MetadataBlock(node.value(index, in: bytes.span)), into: &nodes)
    }
  }

  /// By block, whether it is used.
  ///
  /// The root of the metadata's space map, at byte 192 of the superblock, has the index block's number
  /// behind two numbers. The index has 16 bytes for each bitmap, the first 8 of which are its number.
  /// A bitmap has two bits for each block, and both kinds have a header of 16 bytes.
  private mutating func spaceMap() throws -> [Bool] {
    let headerByteCount = 16
    let blocksPerBitmap = (BlockKind.blockByteCount - headerByteCount) * 4
    let blockCount = Int(pool.live.metadataBlockCount)
    let index = try read(MetadataBlock(try read(MetadataBlock(0))[192 + 16]), kind: .spaceMapIndex)
    var isUsed: [Bool] = []
    for first in stride(from: 0, to: blockCount, by: blocksPerBitmap) {
      let entry = headerByteCount + first / blocksPerBitmap * 16
      let bitmap = try read(MetadataBlock(index[entry]), kind: .spaceMapBitmap)
      for place in 0..<min(blocksPerBitmap, blockCount - first) {
        let word = bitmap[headerByteCount + place / 32 * 8]
        isUsed.append(word >> UInt64(place % 32 * 2) & 3 != 0)
      }
    }
    return isUsed
  }

  private func node(_ bytes: BlockCopy, at block: MetadataBlock) throws -> BtreeNode {
    do throws(MetadataFault) {
      return try BtreeNode(
        bytes.span, at: block, leafValueByteCount: MappingLeaf.valueByteCount)
    } catch {
      throw error.refusal(path: path)
    }
  }

  private mutating func read(_ block: MetadataBlock, kind: BlockKind) throws -> BlockCopy {
    let bytes = try read(block)
    do throws(MetadataFault) {
      try kind.check(bytes.span, of: block)
    } catch {
      throw error.refusal(path: path)
    }
    return bytes
  }

  private mutating func read(_ block: MetadataBlock) throws -> BlockCopy {
    try perform(.read, .metadata, block)
    return BlockCopy(io.bytes(at: 0, count: BlockKind.blockByteCount))
  }

  private mutating func write(_ bytes: BlockCopy, at block: MetadataBlock) throws {
    io.store(bytes.span, at: 0)
    try perform(.write, .target, block)
  }

  private mutating func perform(
    _ operation: IORequest.Operation, _ file: IOFile, _ block: MetadataBlock
  ) throws {
    let byteCount = BlockKind.blockByteCount
    let result = io.perform(
      IORequest(
        operation, file, byteOffset: block.rawValue * UInt64(byteCount), byteCount: byteCount,
        tag: 0))
    guard result == Int64(byteCount) else { throw unfit("block \(block): \(operation) failed") }
  }

  private func unfit(_ why: String) -> MergeError {
    MergeError(.bug, .refused, "cannot age the metadata", at: path, because: why)
  }
}
