/// Encodes and decodes the list of thin devices that a run was allowed to change, as stored in the
/// run's record.
///
/// The devices are sorted by pool and ID. Each device is stored as a byte of flags (1: a pool name
/// follows, otherwise the pool is the previous device's; 2: creation details follow; 4: a mapped
/// device name follows), the pool name, the difference from the previous ID in the same pool, the
/// creation time and transaction ID, and the mapped device name. Integers are variable-length; a
/// name is stored as its byte count followed by its bytes.
enum RecordedSharers {
  /// The maximum number of bytes stored, which leaves room for the paths in a run's record; the
  /// user is asked again about devices that do not fit.
  static let byteCountMax = 40 << 10

  private static let (hasPool, hasCreation, hasMappedName): (UInt8, UInt8, UInt8) = (1, 2, 4)

  static func encoded(_ sharers: [OriginSharer]) -> [UInt8] {
    let sorted = sharers.sorted {
      ($0.poolName, $0.deviceID, $0.mappedName ?? "")
        < ($1.poolName, $1.deviceID, $1.mappedName ?? "")
    }
    var bytes: [UInt8] = []
    var before: OriginSharer?
    for sharer in sorted {
      let next = encoded(sharer, after: before)
      guard bytes.count + next.count <= byteCountMax else { break }
      bytes += next
      before = sharer
    }
    return bytes
  }

  private static func encoded(_ sharer: OriginSharer, after before: OriginSharer?) -> [UInt8] {
    let isNewPool = before?.poolName != sharer.poolName
    var writer = ByteWriter()
    writer.append(
      (isNewPool ? hasPool : 0) | (sharer.creation == nil ? 0 : hasCreation)
        | (sharer.mappedName == nil ? 0 : hasMappedName))
    if isNewPool { append(sharer.poolName, to: &writer) }
    let idBefore = isNewPool ? 0 : before?.deviceID ?? 0
    writer.appendVariable(UInt64(sharer.deviceID - idBefore))
    if let creation = sharer.creation {
      writer.appendVariable(UInt64(creation.time))
      writer.appendVariable(creation.transactionID)
    }
    if let mappedName = sharer.mappedName { append(mappedName, to: &writer) }
    return writer.bytes
  }

  private static func append(_ name: String, to writer: inout ByteWriter) {
    let bytes = PathText.bytes(of: name)
    writer.appendVariable(UInt64(bytes.count))
    writer.append(bytes)
  }

  /// Decodes the thin devices; returns none if the bytes are invalid, so that the user is asked
  /// again about all of them.
  static func decoded(_ bytes: [UInt8]) -> [OriginSharer] {
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    var sharers: [OriginSharer] = []
    var poolName: String?
    var id: UInt64 = 0
    while reader.remainingByteCount > 0 {
      guard let flags = reader.next(UInt8.self) else { return [] }
      if flags & hasPool != 0 {
        poolName = name(&reader)
        id = 0
      }
      guard let poolName, let step = reader.nextVariable(), step <= DeviceTrees.deviceIDMax - id
      else { return [] }
      id += step
      var sharer = OriginSharer(poolName: poolName, deviceID: UInt32(id))
      if flags & hasCreation != 0 {
        guard let time = reader.nextVariable().flatMap({ UInt32(exactly: $0) }),
          let transactionID = reader.nextVariable()
        else { return [] }
        sharer.creation = ThinDeviceCreation(time: time, transactionID: transactionID)
      }
      if flags & hasMappedName != 0 {
        guard let name = name(&reader) else { return [] }
        sharer.mappedName = name
      }
      sharers.append(sharer)
    }
    return sharers
  }

  private static func name(_ reader: inout ByteReader) -> String? {
    guard let byteCount = reader.nextVariable().flatMap({ Int(exactly: $0) }) else { return nil }
    return reader.next(byteCount).map { PathText.text($0) }
  }
}
