/// One record of a journal.
package enum JournalRecord: Equatable, Sendable {
  /// A run began; any earlier `finished` record no longer counts.
  case attempt(Attempt)
  case checkpoint(Checkpoint)
  /// Ranges of the origin whose source data could not be read.
  case unreadable([ByteRange])
  /// The entire plan is durable and recorded.
  case finished(seconds: Int64)
  /// The origin was read back and found correct.
  case verified(seconds: Int64)
  /// Another merge replaced this one, so this one cannot be resumed.
  case givenUp(StatusReport.GivenUp)
  /// The origin is about to take the thin volume's place in LVM.
  case handover(VolumeHandover, seconds: Int64)
  /// The origin has taken the thin volume's place.
  case handedOver(seconds: Int64)
  /// The handover was dropped because its first step was blocked.
  case handoverDropped(seconds: Int64)

  /// The details of one run of a merge, recorded when the run began.
  package struct Attempt: Equatable, Sendable {
    package var seconds: Int64
    package var bootID: String
    package var metadataPath, dataPath, originPath: String
    /// The location of a device without an identity, which tells it apart from other devices until
    /// the next boot; empty if the device has an identity.
    package var dataPlace, originPlace: String
    /// Thin devices that share the origin, or might share it, and that this run was allowed to
    /// change.
    package var agreedSharers: [OriginSharer]

    package init(
      seconds: Int64, bootID: String, metadataPath: String, dataPath: String, originPath: String,
      dataPlace: String = "", originPlace: String = "", agreedSharers: [OriginSharer] = []
    ) {
      self.seconds = seconds
      self.bootID = bootID
      self.metadataPath = metadataPath
      self.dataPath = dataPath
      self.originPath = originPath
      self.dataPlace = dataPlace
      self.originPlace = originPlace
      self.agreedSharers = agreedSharers
    }
  }

  /// The kind of pass over the plan that wrote a checkpoint.
  package enum SweepKind: UInt8, Sendable {
    case merge = 0
    /// A retry of unreadable ranges.
    case retry = 1
    /// A re-read of recorded ranges; its entries replace the earlier ones.
    case recheck = 2
  }

  /// The pieces of the origin that became durable since the previous checkpoint.
  package struct Checkpoint: Equatable, Sendable {
    package var seconds: Int64
    package var kind: SweepKind
    /// The sweep's sequence number; within one sweep, entries are in ascending order.
    package var sweep: UInt64
    /// The origin byte offset before which the whole plan is durable or recorded as unreadable.
    package var watermark: UInt64
    package var entries: [JournalEntry]

    package init(
      seconds: Int64, kind: SweepKind, sweep: UInt64, watermark: UInt64, entries: [JournalEntry]
    ) {
      self.seconds = seconds
      self.kind = kind
      self.sweep = sweep
      self.watermark = watermark
      self.entries = entries
    }
  }

  /// The maximum number of entries in one record; a larger checkpoint is split into several
  /// records.
  package static let entryCountMax = 2048
  /// The maximum sweep number, which no real journal comes close to, because each sweep takes a
  /// run.
  package static let sweepMax: UInt64 = 1 << 48
  /// The maximum payload size in bytes; a frame that declares more is invalid.
  package static let payloadByteCountMax = 64 << 10
  /// The maximum number of ranges in one record of unreadable ranges.
  package static let rangeCountMax = 2048

  private enum Kind: UInt32 {
    case attempt = 1, checkpoint, unreadable, finished, verified, givenUp, handover, handedOver
    case handoverDropped
  }
  private enum GivenUpTag: UInt16 { case seconds = 1, deviceID, journalPath }
  private enum HandoverTag: UInt16 {
    case seconds = 1, groupName, thinName, originName, groupUUID, thinUUID, originUUID, takesName
    case staysActive
  }
  private enum AttemptTag: UInt16 {
    case seconds = 1, bootID, metadataPath, dataPath, originPath, dataPlace, originPlace
    case agreedSharers
  }

  var kindCode: UInt32 {
    let kind: Kind =
      switch self {
      case .attempt: .attempt
      case .checkpoint: .checkpoint
      case .unreadable: .unreadable
      case .finished: .finished
      case .verified: .verified
      case .givenUp: .givenUp
      case .handover: .handover
      case .handedOver: .handedOver
      case .handoverDropped: .handoverDropped
      }
    return kind.rawValue
  }

  /// Appends the record's payload to `writer`.
  ///
  /// - `dataBlockByteCount`: the size of a thin block in bytes. The watermark is stored as a block
  ///   number and a byte offset within that block.
  func encodePayload(into writer: inout ByteWriter, dataBlockByteCount: UInt64) {
    switch self {
    case .attempt(let attempt):
      var fields = FieldWriter<AttemptTag>()
      fields.append(.seconds, UInt64(bitPattern: attempt.seconds))
      fields.append(.bootID, attempt.bootID)
      fields.append(.metadataPath, path: attempt.metadataPath)
      fields.append(.dataPath, path: attempt.dataPath)
      fields.append(.originPath, path: attempt.originPath)
      if !attempt.dataPlace.isEmpty { fields.append(.dataPlace, path: attempt.dataPlace) }
      if !attempt.originPlace.isEmpty { fields.append(.originPlace, path: attempt.originPlace) }
      if !attempt.agreedSharers.isEmpty {
        fields.append(.agreedSharers, RecordedSharers.encoded(attempt.agreedSharers))
      }
      writer.append(fields.bytes)
    case .checkpoint(let checkpoint):
      writer.append(checkpoint.seconds)
      writer.append(checkpoint.kind.rawValue)
      writer.appendVariable(checkpoint.sweep)
      writer.appendVariable(checkpoint.watermark / dataBlockByteCount)
      writer.appendVariable(checkpoint.watermark % dataBlockByteCount)
      writer.appendVariable(UInt64(checkpoint.entries.count))
      var packer = RangePacker()
      for entry in checkpoint.entries {
        packer.pack(entry, into: &writer)
      }
    case .unreadable(let ranges):
      writer.appendVariable(UInt64(ranges.count))
      var packer = RangePacker()
      for range in ranges {
        packer.pack(range, into: &writer)
      }
    case .finished(let seconds), .verified(let seconds), .handedOver(let seconds),
      .handoverDropped(let seconds):
      writer.append(seconds)
    case .givenUp(let givenUp):
      var fields = FieldWriter<GivenUpTag>()
      fields.append(.seconds, UInt64(bitPattern: givenUp.seconds))
      fields.append(.deviceID, UInt64(givenUp.deviceID))
      fields.append(.journalPath, path: givenUp.journalPath)
      writer.append(fields.bytes)
    case .handover(let handover, let seconds):
      var fields = FieldWriter<HandoverTag>()
      fields.append(.seconds, UInt64(bitPattern: seconds))
      fields.append(.groupName, handover.groupName)
      fields.append(.thinName, handover.thinName)
      fields.append(.originName, handover.originName)
      fields.append(.groupUUID, handover.groupUUID)
      fields.append(.thinUUID, handover.thinUUID)
      fields.append(.originUUID, handover.originUUID)
      fields.append(.takesName, handover.takesName ? 1 : 0)
      fields.append(.staysActive, handover.staysActive ? 1 : 0)
      writer.append(fields.bytes)
    }
  }

  /// Decodes a record; returns nil if the kind is unknown or the payload is invalid for that kind.
  ///
  /// The reader rejects a journal that contains such a record.
  init?(kindCode: UInt32, payload: RawSpan, dataBlockByteCount: UInt64) {
    var reader = ByteReader(payload)
    switch Kind(rawValue: kindCode) {
    case .attempt:
      let fields = FieldReader<AttemptTag>(payload)
      guard let seconds = fields.number(.seconds), let bootID = fields.text(.bootID),
        let metadataPath = fields.path(.metadataPath), let dataPath = fields.path(.dataPath),
        let originPath = fields.path(.originPath)
      else { return nil }
      self = .attempt(
        Attempt(
          seconds: Int64(bitPattern: seconds), bootID: bootID, metadataPath: metadataPath,
          dataPath: dataPath, originPath: originPath, dataPlace: fields.path(.dataPlace) ?? "",
          originPlace: fields.path(.originPlace) ?? "",
          agreedSharers: RecordedSharers.decoded(fields.bytes(.agreedSharers) ?? [])))
    case .checkpoint:
      guard let checkpoint = Self.checkpoint(payload, dataBlockByteCount) else { return nil }
      self = .checkpoint(checkpoint)
    case .unreadable:
      guard let count = reader.nextVariable(), count <= Self.rangeCountMax else { return nil }
      var ranges: [ByteRange] = []
      var packer = RangePacker()
      for _ in 0..<count {
        guard let range = packer.unpack(&reader) else { return nil }
        ranges.append(range)
      }
      self = .unreadable(ranges)
    case .finished:
      guard let seconds = reader.next(Int64.self) else { return nil }
      self = .finished(seconds: seconds)
    case .verified:
      guard let seconds = reader.next(Int64.self) else { return nil }
      self = .verified(seconds: seconds)
    case .givenUp:
      let fields = FieldReader<GivenUpTag>(payload)
      guard let seconds = fields.number(.seconds),
        let deviceID = fields.number(.deviceID, as: UInt32.self),
        let journalPath = fields.path(.journalPath)
      else { return nil }
      self = .givenUp(
        StatusReport.GivenUp(
          seconds: Int64(bitPattern: seconds), deviceID: deviceID, journalPath: journalPath))
    case .handover:
      guard let handover = Self.handover(FieldReader(payload)) else { return nil }
      self = handover
    case .handedOver:
      guard let seconds = reader.next(Int64.self) else { return nil }
      self = .handedOver(seconds: seconds)
    case .handoverDropped:
      guard let seconds = reader.next(Int64.self) else { return nil }
      self = .handoverDropped(seconds: seconds)
    case nil:
      return nil
    }
  }

  private static func handover(_ fields: FieldReader<HandoverTag>) -> JournalRecord? {
    guard let seconds = fields.number(.seconds), let groupName = fields.text(.groupName),
      let thinName = fields.text(.thinName), let originName = fields.text(.originName),
      let groupUUID = fields.text(.groupUUID), let thinUUID = fields.text(.thinUUID),
      let originUUID = fields.text(.originUUID), let takesName = fields.number(.takesName),
      let staysActive = fields.number(.staysActive)
    else { return nil }
    return .handover(
      VolumeHandover(
        groupName: groupName, thinName: thinName, originName: originName, groupUUID: groupUUID,
        thinUUID: thinUUID, originUUID: originUUID, takesName: takesName != 0,
        staysActive: staysActive != 0),
      seconds: Int64(bitPattern: seconds))
  }

  private static func checkpoint(
    _ payload: RawSpan, _ dataBlockByteCount: UInt64
  ) -> Checkpoint? {
    var reader = ByteReader(payload)
    guard let seconds = reader.next(Int64.self),
      let kind = reader.next(UInt8.self).flatMap(SweepKind.init(rawValue:)),
      let sweep = reader.nextVariable(), sweep <= sweepMax, let block = reader.nextVariable(),
      let rest = reader.nextVariable(), rest < dataBlockByteCount,
      block <= UInt64(Int64.max) / dataBlockByteCount,
      let count = reader.nextVariable(), count <= entryCountMax
    else { return nil }
    let entries = entries(Int(count), from: reader)
    guard entries.count == count else { return nil }
    return Checkpoint(
      seconds: seconds, kind: kind, sweep: sweep, watermark: block * dataBlockByteCount + rest,
      entries: entries)
  }

  /// Decodes `count` entries; returns fewer if the bytes end early or are invalid.
  private static func entries(_ count: Int, from first: ByteReader) -> [JournalEntry] {
    [JournalEntry](capacity: count) { entries in
      // A local copy keeps the read position in a register; a captured reader would stay in memory.
      var reader = first
      var packer = RangePacker()
      for _ in 0..<count {
        guard let entry = packer.unpackEntry(&reader) else { return }
        entries.append(entry)
      }
    }
  }
}

/// The frame around each record in a journal, including the record's checksum.
///
/// Each record starts at a multiple of 8 bytes; the first record of each append starts at a
/// multiple of 4096.
///
/// | offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 4 | "TMr1" |
/// | 4 | 4 | kind |
/// | 8 | 8 | sequence number, starting at 1 and incremented for each record |
/// | 16 | 8 | sequence number of the first record in the same append |
/// | 24 | 4 | payload size in bytes |
/// | 28 | 4 | CRC-32C of journal header's checksum, bytes 0..<28 and payload; salted by kind |
/// | 32 | … | payload, then zeros up to a multiple of 8 |
///
/// Each append is synced before the next one begins. A crash may lose any records of the last
/// append, but none from earlier appends.
package struct RecordFrame: Equatable, Sendable {
  package static let byteCount = 32
  static let magic: UInt32 = 0x3172_4D54
  private static let kindSalt: UInt32 = 0x9E37_79B1

  package var kindCode: UInt32
  package var sequence: UInt64
  /// The sequence number of the first record in the same append.
  package var appendSequence: UInt64
  package var payloadByteCount: Int
  private var checksum: UInt32

  /// The record's size in the file, including padding.
  package var recordByteCount: Int { (Self.byteCount + payloadByteCount + 7) / 8 * 8 }

  /// Decodes a frame; returns nil if the bytes cannot be the start of a record.
  init?(_ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    guard reader.next(UInt32.self) == Self.magic, let kindCode = reader.next(UInt32.self),
      let sequence = reader.next(UInt64.self), let appendSequence = reader.next(UInt64.self),
      let payloadByteCount = reader.next(UInt32.self),
      payloadByteCount <= JournalRecord.payloadByteCountMax,
      let checksum = reader.next(UInt32.self)
    else { return nil }
    self.kindCode = kindCode
    self.sequence = sequence
    self.appendSequence = appendSequence
    self.payloadByteCount = Int(payloadByteCount)
    self.checksum = checksum
  }

  private init(
    kindCode: UInt32, sequence: UInt64, appendSequence: UInt64, payloadByteCount: Int
  ) {
    self.kindCode = kindCode
    self.sequence = sequence
    self.appendSequence = appendSequence
    self.payloadByteCount = payloadByteCount
    checksum = 0
  }

  /// Returns true if the record may start at `byteOffset`: the first record of an append must be
  /// aligned.
  func mayStand(at byteOffset: UInt64) -> Bool {
    appendSequence < sequence
      || appendSequence == sequence
        && byteOffset.isMultiple(of: JournalEncoder.appendAlignmentByteCount)
  }

  /// Returns true if the stored checksum matches this frame and `payload`.
  func proves(_ payload: RawSpan, headerChecksum: UInt32) -> Bool {
    checksum == Self.checksum(self, payload, headerChecksum)
  }

  /// Appends a complete record to `writer`; `payload` is a reused scratch buffer.
  static func append(
    _ record: JournalRecord, sequence: UInt64, appendSequence: UInt64, headerChecksum: UInt32,
    dataBlockByteCount: UInt64, payload: inout ByteWriter, to writer: inout ByteWriter
  ) {
    payload.removeAll()
    record.encodePayload(into: &payload, dataBlockByteCount: dataBlockByteCount)
    let frame = RecordFrame(
      kindCode: record.kindCode, sequence: sequence, appendSequence: appendSequence,
      payloadByteCount: payload.bytes.count)
    frame.encode(into: &writer)
    writer.append(checksum(frame, RawSpan(_elements: payload.bytes.span), headerChecksum))
    writer.append(payload.bytes)
    writer.pad(toMultipleOf: 8)
  }

  private func encode(into writer: inout ByteWriter) {
    for index in words.indices { writer.append(words[index]) }
  }

  /// Bytes 0..<28 of the frame, as 32-bit words.
  private var words: InlineArray<7, UInt32> {
    [
      Self.magic, kindCode, UInt32(truncatingIfNeeded: sequence),
      UInt32(truncatingIfNeeded: sequence >> 32), UInt32(truncatingIfNeeded: appendSequence),
      UInt32(truncatingIfNeeded: appendSequence >> 32), UInt32(payloadByteCount),
    ]
  }

  private static func checksum(
    _ frame: RecordFrame, _ payload: RawSpan, _ headerChecksum: UInt32
  ) -> UInt32 {
    // An inline array avoids a heap allocation for each record.
    var first = InlineArray<8, UInt32>(repeating: headerChecksum.littleEndian)
    let words = frame.words
    for index in words.indices { first[index + 1] = words[index].littleEndian }
    var crc = CRC32C()
    crc.update(RawSpan(_elements: first.span))
    crc.update(payload)
    return crc.value ^ (frame.kindCode &* kindSalt)
  }
}
