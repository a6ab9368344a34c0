/// The thin devices that a run was allowed to change, as stored in its record.
///
/// They are sorted by pool and ID. Each is a byte of flags (1: a pool's name follows, else the pool
/// is the previous one; 2: the creation follows; 4: a mapped device's name follows), the pool's
/// name, the ID minus the previous ID in the same pool, the creation's time and transaction, and
/// the mapped device's name. Numbers are variable-length; a name is its byte count and its bytes.
enum RecordedSharers {
  /// The most bytes stored, given the room for paths in a run's record; the user is asked again
  /// about the rest.
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

  /// Returns no sharers if the bytes are invalid; the user is then asked again about all.
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
