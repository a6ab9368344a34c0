/// An input for the metadata fuzzer: the options of a merge, and compactly encoded metadata blocks.
///
/// A block is stored as its first bytes (the head) and, for a node, its values. The rest is
/// omitted, because most of a node is unused space for entries, where mutations would have no
/// effect. An input starts with 24 bytes of choices (``Choices``). They are followed by the blocks,
/// starting with block 0, each consisting of the head's byte count (2 bytes), the values' byte
/// count (2 bytes), the head and the values.
struct MetadataInput {
  static let blockCountMax = FuzzMemory.mediumByteCountMax / BlockKind.blockByteCount
  /// The offset of a node's maximum entry count, which determines where the node's values begin.
  static let entryCountMaxByteOffset = 20

  struct Block: Equatable {
    var head: [UInt8]
    var values: [UInt8] = []

    var isSuperblock: Bool { head.number(at: 32, UInt64.self) == Superblock.magic }

    /// The offset of the values within the block; nil if the values do not fit.
    var valuesByteOffset: Int? {
      let roomCount = Int(head.number(at: MetadataInput.entryCountMaxByteOffset, UInt32.self))
      let start = BtreeNode.headerByteCount + 8 * min(roomCount, BlockKind.blockByteCount)
      return start + values.count <= BlockKind.blockByteCount ? start : nil
    }
  }

  /// The choices encoded in the first bytes of an input.
  struct Choices {
    static let byteCount = 24
    var bytes: [UInt8]

    private var flags: UInt8 { bytes[0] }
    var repairsChecksums: Bool { flags & 3 != 3 }
    var repairsBlockNumbers: Bool { flags & 4 == 0 }
    var isInactive: Bool { flags & 8 != 0 }
    var ignoresNeedsCheck: Bool { flags & 16 != 0 }
    var listsDevices: Bool { flags & 32 != 0 }
    var hasOrigin: Bool { flags & 64 == 0 }
    var repairsMappedCount: Bool { flags & 128 == 0 }

    var pastEnd: PastEndPolicy { PastEndPolicy(code: UInt64(bytes[1] % 3)) ?? .clip }
    var thinByteCount: UInt64? {
      guard bytes[1] & 64 != 0 else { return nil }
      return UInt64(bytes.number(at: 12, UInt32.self)) << (bytes[1] >> 3 & 7) * 5
    }
    var order: UInt8 { bytes[2] }
    /// The index of the block that changes between the passes; nil for none.
    var changedBlock: Int? { bytes[3] == 0 ? nil : Int(bytes[3]) - 1 }
    var deviceID: UInt32 { bytes.number(at: 4, UInt32.self) }
    var originByteCount: UInt64 { UInt64(bytes.number(at: 8, UInt32.self)) * 512 }
    var ioByteCount: UInt64 { 4096 * (1 + UInt64(bytes[16]) * 64) }
    /// The position at which the last pass starts, in 256ths of the whole.
    var restart: UInt64 { UInt64(bytes[18]) }
    var requestCountMax: Int { 1 + Int(bytes[19]) % TreeWalker.requestCount }
    /// The number of additional blocks on the device after those in the input.
    var extraBlockCount: UInt64 { UInt64(bytes[20]) << 14 }
    var failing: Int { bytes[21] & 3 == 1 ? Int(bytes[21] >> 2) : 0 }
    var short: Int { bytes[21] & 3 == 2 ? Int(bytes[21] >> 2) : 0 }
  }

  var choices: Choices
  var blocks: [Block]

  init(choices: [UInt8], blocks: [Block]) {
    self.choices = Choices(bytes: choices)
    self.blocks = blocks
  }

  /// Decodes an input; any bytes are valid.
  init(decoding bytes: [UInt8]) {
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    choices = Choices(
      bytes: reader.next(Choices.byteCount) ?? [UInt8](repeating: 0, count: Choices.byteCount))
    blocks = []
    while blocks.count < Self.blockCountMax, let headByteCount = reader.next(UInt16.self),
      let valueByteCount = reader.next(UInt16.self)
    {
      let head = reader.next(min(Int(headByteCount), reader.remainingByteCount)) ?? []
      let values = reader.next(min(Int(valueByteCount), reader.remainingByteCount)) ?? []
      blocks.append(Block(head: head, values: values))
    }
  }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.append(choices.bytes)
    for block in blocks {
      writer.append(UInt16(clamping: block.head.count))
      writer.append(UInt16(clamping: block.values.count))
      writer.append(block.head)
      writer.append(block.values)
    }
    return writer.bytes
  }

  /// Lays out the blocks as on a device, and repairs checksums if the choices say so.
  func expand(into memory: FuzzMemory) {
    memory.begin()
    memory.resize(blocks.count * BlockKind.blockByteCount)
    for (index, block) in blocks.enumerated() {
      let start = index * BlockKind.blockByteCount
      let head = RawSpan(_elements: block.head.span)
      memory.write(head.extracting(first: BlockKind.blockByteCount), at: start)
      if let byteOffset = block.valuesByteOffset {
        memory.write(RawSpan(_elements: block.values.span), at: start + byteOffset)
      }
      if choices.repairsBlockNumbers { memory.write(UInt64(index), at: start + 8) }
    }
    if choices.repairsMappedCount {
      MetadataModel(memory).repairMappedCount(choices.deviceID, isInactive: choices.isInactive)
    }
    guard choices.repairsChecksums else { return }
    for (index, block) in blocks.enumerated() {
      Self.repairChecksum(of: index, isSuperblock: block.isSuperblock, memory)
    }
  }

  static func repairChecksum(of block: Int, isSuperblock: Bool, _ memory: FuzzMemory) {
    let start = block * BlockKind.blockByteCount
    let kind = isSuperblock ? BlockKind.superblock : .btreeNode
    let checksum = memory.checksum(start + 4..<start + BlockKind.blockByteCount)
    memory.write(~checksum ^ kind.rawValue, at: start)
  }
}

extension [UInt8] {
  /// Returns the little-endian integer at `byteOffset`; bytes past the end count as zeros.
  func number<Number: FixedWidthInteger>(at byteOffset: Int, _ type: Number.Type) -> Number {
    var number: Number = 0
    for index in 0..<MemoryLayout<Number>.size where byteOffset + index < count {
      number |= Number(truncatingIfNeeded: self[byteOffset + index]) << Number(8 * index)
    }
    return number
  }

  /// Stores an integer in little-endian order, dropping any bytes that do not fit.
  mutating func set<Number: FixedWidthInteger>(_ number: Number, at byteOffset: Int) {
    for index in 0..<MemoryLayout<Number>.size where byteOffset + index < count {
      self[byteOffset + index] = UInt8(truncatingIfNeeded: number >> Number(8 * index))
    }
  }
}
