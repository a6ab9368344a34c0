/// An input for the journal fuzzer: a compactly encoded journal, and choices for how to read it.
///
/// An input starts with 8 bytes of choices (``Choices``). They are followed by chunks, each
/// consisting of its place (1 byte), its byte count (2 bytes) and its content. The many zeros
/// between chunks of a journal take up no space.
struct JournalInput {
  static let journalByteCountMax = 256 << 10

  /// The choices encoded in the first bytes of an input.
  struct Choices {
    static let byteCount = 8
    var bytes: [UInt8]

    private var flags: UInt8 { bytes[0] }
    var repairsChecksums: Bool { flags & 3 != 3 }
    var renumbersRecords: Bool { flags & 4 == 0 }
    var appends: Bool { flags & 8 != 0 }
    /// The reader's usual slab size, or the minimum size that has room for any record.
    var slabByteCount: Int {
      flags & 16 == 0
        ? JournalReader<FuzzQueue>.slabByteCount : JournalRecord.payloadByteCountMax
    }
    var failing: Int { bytes[1] & 3 == 1 ? Int(bytes[1] >> 2) : 0 }
    var short: Int { bytes[1] & 3 == 2 ? Int(bytes[1] >> 2) : 0 }
  }

  /// A piece of the journal that contains no long run of zeros.
  struct Chunk {
    /// The code for where the chunk begins.
    ///
    /// 0, 1 and 2 stand for the next multiple of 8 bytes (a record's alignment), of a sector and of
    /// a page; 3 and up stand for one 8-byte word of zeros after the next multiple of 8 bytes, two
    /// words, and so on.
    var place: UInt8 = 0
    var bytes: [UInt8]

    static let units = [8, 512, 4096]

    func start(after end: Int) -> Int {
      guard place >= Self.units.count else {
        let unit = Self.units[Int(place)]
        return (end + unit - 1) / unit * unit
      }
      return (end + 7) / 8 * 8 + 8 * (Int(place) - Self.units.count + 1)
    }
  }

  var choices: Choices
  var chunks: [Chunk]

  init(choices: [UInt8], chunks: [Chunk]) {
    self.choices = Choices(bytes: choices)
    self.chunks = chunks
  }

  /// Decodes an input; any bytes are valid.
  init(decoding bytes: [UInt8]) {
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    choices = Choices(
      bytes: reader.next(Choices.byteCount) ?? [UInt8](repeating: 0, count: Choices.byteCount))
    chunks = []
    while let place = reader.next(UInt8.self), let byteCount = reader.next(UInt16.self) {
      chunks.append(
        Chunk(
          place: place,
          bytes: reader.next(min(Int(byteCount), reader.remainingByteCount)) ?? []))
    }
  }

  /// Creates an input that encodes a journal.
  ///
  /// The header and each record become one chunk each; all other data is split at zeros.
  init(choices: [UInt8], journal: [UInt8]) {
    self.init(choices: choices, chunks: [])
    var end = 0
    var position = 0
    while position < journal.count {
      let byteCount = Self.chunkByteCount(journal, at: position)
      guard byteCount > 0 else {
        position += 8
        continue
      }
      append(journal, position..<min(position + byteCount, journal.count), &end)
      position = (end + 7) / 8 * 8
    }
    // Zeros at the end are also part of the file.
    let rest = max(journal.count / 8 * 8, (end + 7) / 8 * 8)
    if rest <= journal.count {
      append(journal, rest..<journal.count, &end)
    } else if end < journal.count {
      chunks[chunks.count - 1].bytes += journal[end...]
    }
  }

  /// Returns the number of bytes from `position` to the next padding; 0 if padding begins there.
  private static func chunkByteCount(_ journal: [UInt8], at position: Int) -> Int {
    // The header stays in one chunk, so that it can be decoded.
    if position == 0 { return Int(journal.number(at: 12, UInt32.self)) }
    if journal.number(at: position, UInt32.self) == RecordFrame.magic {
      return RecordFrame.byteCount + Int(journal.number(at: position + 24, UInt32.self))
    }
    var end = position
    while end < journal.count, journal.number(at: end, UInt64.self) != 0,
      end == position || journal.number(at: end, UInt32.self) != RecordFrame.magic
    {
      end += 8
    }
    return end - position
  }

  private mutating func append(_ journal: [UInt8], _ range: Range<Int>, _ end: inout Int) {
    for place in 0...UInt8.max {
      var chunk = Chunk(place: place, bytes: [])
      guard chunk.start(after: end) == range.lowerBound else { continue }
      chunk.bytes = Array(journal[range])
      chunks.append(chunk)
      end = range.upperBound
      return
    }
    // The distance is too great for one chunk, so an empty chunk is put in between.
    precondition(range.lowerBound.isMultiple(of: 8) && range.lowerBound > end + 8 * 200)
    let middle = min(range.lowerBound, end + 8 * 200) / 8 * 8
    append(journal, middle..<middle, &end)
    append(journal, range, &end)
  }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.append(choices.bytes)
    for chunk in chunks {
      writer.append(chunk.place)
      writer.append(UInt16(clamping: chunk.bytes.count))
      writer.append(Array(chunk.bytes.prefix(Int(UInt16.max))))
    }
    return writer.bytes
  }

  /// Lays out the journal as in a file, and repairs checksums if the choices say so.
  func expand(into memory: FuzzMemory) {
    memory.begin()
    for chunk in chunks {
      let start = chunk.start(after: memory.mediumByteCount)
      guard start + chunk.bytes.count <= Self.journalByteCountMax else { break }
      memory.resize(start + chunk.bytes.count)
      memory.write(RawSpan(_elements: chunk.bytes.span), at: start)
    }
    if choices.repairsChecksums { repair(memory) }
  }

  /// Corrects the checksums of the header and of everything that looks like a record.
  private func repair(_ memory: FuzzMemory) {
    let headerByteCount = Int(memory.number(at: 12, as: UInt32.self))
    guard headerByteCount >= 24, headerByteCount <= memory.mediumByteCount else { return }
    memory.write(memory.checksum(0..<headerByteCount - 4), at: headerByteCount - 4)
    let headerChecksum = memory.checksum(0..<headerByteCount)
    var sequence: UInt64 = 1
    var position = headerByteCount
    while position + RecordFrame.byteCount <= memory.mediumByteCount {
      let end =
        position + RecordFrame.byteCount + Int(memory.number(at: position + 24, as: UInt32.self))
      guard memory.number(at: position, as: UInt32.self) == RecordFrame.magic,
        end <= memory.mediumByteCount
      else {
        position += 8
        continue
      }
      if choices.renumbersRecords {
        memory.write(sequence, at: position + 8)
        // A record can be the first of an append only at an offset where an append may begin.
        let append = memory.number(at: position + 16, as: UInt64.self)
        let most = position.isMultiple(of: 4096) ? sequence : sequence - 1
        memory.write(min(append, most), at: position + 16)
      }
      sequence += 1
      repairRecord(position..<end, headerChecksum, memory)
      position = (end + 7) / 8 * 8
    }
  }

  /// Corrects a record's checksum as `RecordFrame` computes it; making the seeds checks that both
  /// agree.
  private func repairRecord(_ range: Range<Int>, _ headerChecksum: UInt32, _ memory: FuzzMemory) {
    var first = ByteWriter()
    first.append(headerChecksum)
    var crc = CRC32C()
    crc.update(RawSpan(_elements: first.bytes.span))
    crc.update(memory.mediumBytes(range.lowerBound..<range.lowerBound + 28))
    crc.update(memory.mediumBytes(range.lowerBound + RecordFrame.byteCount..<range.upperBound))
    let kindCode = memory.number(at: range.lowerBound + 4, as: UInt32.self)
    memory.write(crc.value ^ (kindCode &* 0x9E37_79B1), at: range.lowerBound + 28)
  }
}
