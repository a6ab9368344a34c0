/// The description of a merge, written once at the start of its journal.
///
/// The header consists of a magic number, the format version, the byte count, fields (tag, byte
/// count, value), and a CRC-32C. `docs/journal-format.md` describes the whole format.
package struct JournalHeader: Equatable, Sendable {
  package static let magic: [UInt8] = Array("thinmerg".utf8)
  package static let formatVersion: UInt32 = 1
  /// The maximum header size accepted, in bytes; real headers are far smaller.
  package static let byteCountMax = 1 << 20

  // The properties that a resumed merge must match.
  package var fingerprint: Fingerprint
  package var deviceID: UInt32
  package var dataBlockByteCount: UInt64
  package var endByteOffset: UInt64
  package var pastEnd: PastEndPolicy
  package var dataIdentity: DeviceIdentity
  package var originIdentity: DeviceIdentity
  /// The size in bytes to which the origin is extended; `originIdentity` contains the original
  /// size.
  package var grownOriginByteCount: UInt64?
  package var thinByteCount: UInt64?

  // Other properties, used for resuming and for display.
  package var plannedByteCount: UInt64
  /// The thin device's human-readable name: its LVM name if it is a volume, otherwise the name that
  /// the user typed.
  package var thinDeviceName: String?
  /// The UUIDs of the thin volume and its volume group; nil if the thin device is not an LVM
  /// volume.
  package var thinVolume: VolumeUUIDs?
  package var metadataPath: String
  package var dataPath: String
  package var originPath: String
  package var mappings: MergeSource.Mappings
  package var ignoresNeedsCheck: Bool
  package var ignoresMappingCount = false
  /// The blocks left on the origin by the merges that this one replaced.
  package var remnants: [MergeRemnant] = []
  package var transactionID: UInt64
  package var heldRoot: UInt64
  package var mappingRoot: UInt64
  package var queueDepth: UInt64
  package var ioByteCount: UInt64
  package var rateLimit: UInt64
  package var checkpointMilliseconds: UInt64
  package var verifies: Bool
  package var pool = PoolOptions()
  package var bootID: String
  package var madeSeconds: Int64

  private enum Tag: UInt16, CaseIterable {
    case crc64 = 1, crc32c, deviceID, dataBlockByteCount, endByteOffset, pastEnd, dataIdentity
    case dataByteCount, originIdentity, originByteCount, grownOriginByteCount, thinByteCount
    case plannedByteCount = 32, metadataPath, dataPath, originPath, mappings, snapshotBlock
    case ignoresNeedsCheck, transactionID, heldRoot, mappingRoot, queueDepth, ioByteCount
    case rateLimit, checkpointMilliseconds, verifies, bootID, madeSeconds, poolOptions
    case requiredFeatures, ignoresMappingCount, remnants, thinDeviceName, thinVolume
  }

  /// The known features that a journal may require its reader to support, one bit each; none exist
  /// yet.
  ///
  /// Bit 0 will never be assigned, because a test fixture sets it.
  private static let knownFeatures: UInt64 = 0

  /// The header's bytes as stored in the file, including the checksum.
  package var encoded: [UInt8] {
    var fields = FieldWriter<Tag>()
    fields.append(.crc64, fingerprint.crc64)
    fields.append(.crc32c, UInt64(fingerprint.crc32c))
    fields.append(.deviceID, UInt64(deviceID))
    fields.append(.dataBlockByteCount, dataBlockByteCount)
    fields.append(.endByteOffset, endByteOffset)
    fields.append(.pastEnd, UInt64(pastEnd.code))
    fields.append(.dataIdentity, dataIdentity.name)
    fields.append(.dataByteCount, dataIdentity.byteCount)
    fields.append(.originIdentity, originIdentity.name)
    fields.append(.originByteCount, originIdentity.byteCount)
    if let grownOriginByteCount { fields.append(.grownOriginByteCount, grownOriginByteCount) }
    if let thinByteCount { fields.append(.thinByteCount, thinByteCount) }
    fields.append(.plannedByteCount, plannedByteCount)
    fields.append(.metadataPath, path: metadataPath)
    fields.append(.dataPath, path: dataPath)
    fields.append(.originPath, path: originPath)
    switch mappings {
    case .inactivePool: fields.append(.mappings, 1)
    case .ownMetadataSnapshot: fields.append(.mappings, 2)
    case .metadataSnapshot(let block):
      fields.append(.mappings, 0)
      if let block { fields.append(.snapshotBlock, block) }
    }
    fields.append(.ignoresNeedsCheck, ignoresNeedsCheck ? 1 : 0)
    fields.append(.transactionID, transactionID)
    fields.append(.heldRoot, heldRoot)
    fields.append(.mappingRoot, mappingRoot)
    fields.append(.queueDepth, queueDepth)
    fields.append(.ioByteCount, ioByteCount)
    fields.append(.rateLimit, rateLimit)
    fields.append(.checkpointMilliseconds, checkpointMilliseconds)
    fields.append(.verifies, verifies ? 1 : 0)
    if ignoresMappingCount { fields.append(.ignoresMappingCount, 1) }
    if !remnants.isEmpty { fields.append(.remnants, RecordedRemnants.encoded(remnants)) }
    if let thinDeviceName { fields.append(.thinDeviceName, path: thinDeviceName) }
    if let thinVolume { fields.append(.thinVolume, thinVolume.text) }
    fields.append(.poolOptions, pool.code)
    fields.append(.bootID, bootID)
    fields.append(.madeSeconds, UInt64(bitPattern: madeSeconds))

    var writer = ByteWriter()
    writer.append(Self.magic)
    writer.append(Self.formatVersion)
    // The header fills whole blocks, so that the first append begins in its own block.
    let alignment = Int(JournalEncoder.appendAlignmentByteCount)
    let byteCount = (16 + fields.bytes.count + 4 + alignment - 1) / alignment * alignment
    writer.append(UInt32(byteCount))
    writer.append(fields.bytes)
    while writer.bytes.count < byteCount - 4 { writer.append(0 as UInt8) }
    writer.append(CRC32C.checksum(of: RawSpan(_elements: writer.bytes.span)))
    return writer.bytes
  }

  /// Returns the size of the header that begins with these 16 bytes.
  ///
  /// - Throws: `JournalFault` if the bytes are not the start of a header with a known format
  ///   version.
  package static func byteCount(of first: [UInt8]) throws(JournalFault) -> Int {
    var reader = ByteReader(RawSpan(_elements: first.span))
    guard reader.next(8) == magic else {
      throw .notOne()
    }
    guard let version = reader.next(UInt32.self), let byteCount = reader.next(UInt32.self) else {
      throw .headerCut()
    }
    guard version == formatVersion else {
      throw .version(version, expected: formatVersion)
    }
    guard (1...byteCountMax).contains(Int(byteCount)),
      UInt64(byteCount).isMultiple(of: JournalEncoder.appendAlignmentByteCount)
    else {
      throw .headerSize(
        byteCount, unit: JournalEncoder.appendAlignmentByteCount, max: byteCountMax)
    }
    return Int(byteCount)
  }
}

extension VolumeUUIDs {
  /// Returns nil if the text is not two UUIDs separated by `/`.
  fileprivate init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts.contains(where: \.isEmpty) else { return nil }
    self.init(group: parts[0], volume: parts[1])
  }

  fileprivate var text: String { "\(group)/\(volume)" }
}

extension JournalHeader {
  /// Decodes a complete header.
  ///
  /// - Throws: `JournalFault` if the header is corrupt or requires a newer version.
  package init(decoding bytes: [UInt8]) throws(JournalFault) {
    let byteCount = try Self.byteCount(of: Array(bytes.prefix(16)))
    guard bytes.count == byteCount else { throw .headerCut() }
    let whole = RawSpan(_elements: bytes.span)
    let checked = whole.extracting(droppingLast: 4)
    guard
      whole.littleEndian(at: byteCount - 4, as: UInt32.self) == CRC32C.checksum(of: checked)
    else {
      throw .headerChecksum()
    }
    let fields = FieldReader<Tag>(checked.extracting(droppingFirst: 16))
    // Checked before the other fields, which a newer version may use differently.
    guard let features = fields.number(.requiredFeatures, ifAbsent: 0),
      features & ~Self.knownFeatures == 0
    else {
      throw .newer()
    }
    let mappings: MergeSource.Mappings? =
      switch fields.number(.mappings) {
      case 0: .metadataSnapshot(block: fields.number(.snapshotBlock))
      case 1: .inactivePool
      case 2: .ownMetadataSnapshot
      default: nil
      }
    guard let crc64 = fields.number(.crc64), let crc32c = fields.number(.crc32c, as: UInt32.self),
      let deviceID = fields.number(.deviceID, as: UInt32.self),
      deviceID <= DeviceTrees.deviceIDMax,
      let dataBlockByteCount = fields.number(.dataBlockByteCount),
      Superblock.dataBlockByteCountRange.contains(dataBlockByteCount),
      dataBlockByteCount.isMultiple(of: Superblock.dataBlockByteCountRange.lowerBound),
      let endByteOffset = fields.number(.endByteOffset), endByteOffset <= UInt64(Int64.max),
      let pastEnd = fields.number(.pastEnd).flatMap(PastEndPolicy.init(code:)),
      let dataName = fields.text(.dataIdentity), let dataByteCount = fields.number(.dataByteCount),
      let originName = fields.text(.originIdentity),
      let originByteCount = fields.number(.originByteCount),
      let plannedByteCount = fields.number(.plannedByteCount), plannedByteCount <= endByteOffset,
      let metadataPath = fields.path(.metadataPath), let dataPath = fields.path(.dataPath),
      let originPath = fields.path(.originPath), let mappings,
      let ioByteCount = fields.number(.ioByteCount),
      TransferOptions.ioByteCountRange.contains(ioByteCount), ioByteCount.isMultiple(of: 4096),
      let queueDepth = fields.number(.queueDepth), let depth = Int(exactly: queueDepth),
      TransferOptions.queueDepthRange.contains(depth)
    else { throw .headerField() }
    fingerprint = Fingerprint(crc64: crc64, crc32c: crc32c)
    self.deviceID = deviceID
    self.dataBlockByteCount = dataBlockByteCount
    self.endByteOffset = endByteOffset
    self.pastEnd = pastEnd
    dataIdentity = DeviceIdentity(name: dataName, byteCount: dataByteCount)
    originIdentity = DeviceIdentity(name: originName, byteCount: originByteCount)
    grownOriginByteCount = fields.number(.grownOriginByteCount)
    thinByteCount = fields.number(.thinByteCount)
    self.plannedByteCount = plannedByteCount
    thinDeviceName = fields.path(.thinDeviceName)
    thinVolume = fields.text(.thinVolume).flatMap { VolumeUUIDs($0) }
    self.metadataPath = metadataPath
    self.dataPath = dataPath
    self.originPath = originPath
    self.mappings = mappings
    ignoresNeedsCheck = fields.number(.ignoresNeedsCheck) == 1
    ignoresMappingCount = fields.number(.ignoresMappingCount) == 1
    remnants = RecordedRemnants.decoded(fields.bytes(.remnants) ?? [])
    transactionID = fields.number(.transactionID) ?? 0
    heldRoot = fields.number(.heldRoot) ?? 0
    mappingRoot = fields.number(.mappingRoot) ?? 0
    self.queueDepth = queueDepth
    self.ioByteCount = ioByteCount
    rateLimit = fields.number(.rateLimit) ?? 0
    checkpointMilliseconds = fields.number(.checkpointMilliseconds) ?? 0
    verifies = fields.number(.verifies) == 1
    pool = PoolOptions(code: fields.number(.poolOptions) ?? 0)
    bootID = fields.text(.bootID) ?? ""
    madeSeconds = Int64(bitPattern: fields.number(.madeSeconds) ?? 0)
  }
}
