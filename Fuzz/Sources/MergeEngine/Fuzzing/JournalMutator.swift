internal import Fixtures

/// Mutates inputs for the journal fuzzer, using knowledge of the record format.
package struct JournalMutator {
  private var generator: SeededGenerator

  package init(seed: UInt32) { generator = SeededGenerator(seed: UInt64(seed)) }

  /// Returns a mutated copy of the input, with at most `byteCountMax` bytes.
  package mutating func mutate(_ bytes: [UInt8], byteCountMax: Int) -> [UInt8] {
    var input = JournalInput(decoding: bytes)
    mutate(&input)
    if generator.chance(oneIn: 4) { mutate(&input) }
    return Array(input.encoded.prefix(byteCountMax))
  }

  private mutating func mutate(_ input: inout JournalInput) {
    guard !input.chunks.isEmpty, !generator.chance(oneIn: 12) else {
      let index = Int.random(in: 0..<JournalInput.Choices.byteCount, using: &generator)
      input.choices.bytes[index] = UInt8.random(in: 0...255, using: &generator)
      return
    }
    let index = Int.random(in: 0..<input.chunks.count, using: &generator)
    let other = Int.random(in: 0..<input.chunks.count, using: &generator)
    switch Int.random(in: 0..<16, using: &generator) {
    case 0...2: mutatePayload(&input.chunks[index])
    case 3: putNumber(&input.chunks[index])
    case 4: input.chunks[index].bytes.mutate(byteCountMax: Int(UInt16.max))
    case 5: mutateFrame(&input.chunks[index])
    case 6: input.chunks.swapAt(index, other)
    case 7: input.chunks[index] = input.chunks[other]
    case 8: input.chunks.insert(input.chunks[index], at: max(1, other))
    case 9: if index > 0 { input.chunks.remove(at: index) }
    case 10: input.chunks[index].place = UInt8.random(in: 0...6, using: &generator)
    case 11: mutateHeader(&input)
    case 12: input.chunks[index].bytes.removeLast(min(input.chunks[index].bytes.count, 8))
    default: input.chunks.insert(record(), at: max(1, other))
    }
  }

  /// Mutates a record's payload, and updates the payload length in the record's frame.
  private mutating func mutatePayload(_ chunk: inout JournalInput.Chunk) {
    guard chunk.bytes.count > RecordFrame.byteCount,
      chunk.bytes.number(at: 0, UInt32.self) == RecordFrame.magic
    else { return chunk.bytes.mutate(byteCountMax: Int(UInt16.max)) }
    var payload = Array(chunk.bytes.dropFirst(RecordFrame.byteCount))
    payload.mutate(byteCountMax: 4096)
    chunk.bytes.replaceSubrange(RecordFrame.byteCount..., with: payload)
    chunk.bytes.set(UInt32(payload.count), at: 24)
  }

  /// Replaces a byte of a record's payload with one or two variable-length integers that are close
  /// to a power of two.
  private mutating func putNumber(_ chunk: inout JournalInput.Chunk) {
    guard chunk.bytes.count > RecordFrame.byteCount else { return }
    var writer = ByteWriter()
    for _ in 0...Int.random(in: 0...1, using: &generator) {
      let power = (1 as UInt64) << UInt64.random(in: 0..<64, using: &generator)
      writer.appendVariable(power &- UInt64.random(in: 0...2, using: &generator))
    }
    let place = Int.random(in: RecordFrame.byteCount..<chunk.bytes.count, using: &generator)
    chunk.bytes.replaceSubrange(place...place, with: writer.bytes)
    chunk.bytes.set(UInt32(chunk.bytes.count - RecordFrame.byteCount), at: 24)
  }

  private mutating func mutateFrame(_ chunk: inout JournalInput.Chunk) {
    let small = UInt64.random(in: 0...8, using: &generator)
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: chunk.bytes.set(UInt32(small), at: 4)
    case 1: chunk.bytes.set(small, at: 8)
    case 2: chunk.bytes.set(small, at: 16)
    default:
      let old = chunk.bytes.number(at: 24, UInt32.self)
      chunk.bytes.set(old &+ UInt32(small) &- 4, at: 24)
    }
  }

  private mutating func mutateHeader(_ input: inout JournalInput) {
    guard var header = try? JournalHeader(decoding: input.chunks[0].bytes) else { return }
    let end = (1 as UInt64) << UInt64.random(in: 9..<63, using: &generator)
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: header.endByteOffset = end &- UInt64.random(in: 0...513, using: &generator)
    case 1: header.plannedByteCount = UInt64.random(in: 0...header.endByteOffset, using: &generator)
    case 2: header.dataBlockByteCount = (64 << 10) * .random(in: 1...16384, using: &generator)
    default: header.ioByteCount = 4096 * .random(in: 1...16384, using: &generator)
    }
    input.chunks[0].bytes = header.encoded
  }

  /// Returns a valid record whose ranges are in a small space, so that the ranges of different
  /// records often overlap.
  private mutating func record() -> JournalInput.Chunk {
    let seconds = Int64(1_700_000_000 + Int.random(in: 0..<100, using: &generator))
    let record: JournalRecord =
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: .finished(seconds: seconds)
      case 1: .unreadable(ranges().map(\.range))
      case 2:
        .attempt(
          JournalRecord.Attempt(
            seconds: seconds, bootID: "", metadataPath: "m", dataPath: "d", originPath: "o"))
      default:
        .checkpoint(
          JournalRecord.Checkpoint(
            seconds: seconds,
            kind: JournalRecord.SweepKind(rawValue: .random(in: 0...2, using: &generator))
              ?? .merge,
            sweep: .random(in: 0...4, using: &generator),
            watermark: 512 * .random(in: 0...64, using: &generator), entries: ranges()))
      }
    var payload = ByteWriter()
    record.encodePayload(into: &payload, dataBlockByteCount: 65_536)
    var frame = ByteWriter()
    frame.append(RecordFrame.magic)
    frame.append(record.kindCode)
    frame.append(1 as UInt64)
    frame.append(UInt64.random(in: 0...8, using: &generator))
    frame.append(UInt32(payload.bytes.count))
    frame.append(0 as UInt32)
    return JournalInput.Chunk(
      place: generator.chance(oneIn: 2) ? 2 : 0, bytes: frame.bytes + payload.bytes)
  }

  private mutating func ranges() -> [JournalEntry] {
    var entries: [JournalEntry] = []
    var sector = UInt64.random(in: 0...16, using: &generator)
    for number in 0..<UInt32.random(in: 0...6, using: &generator) {
      let count = UInt64.random(in: 1...6, using: &generator)
      entries.append(
        JournalEntry(start: 512 * sector, byteCount: 512 * count, checksum: number + 1))
      sector += count + UInt64.random(in: 0...4, using: &generator)
    }
    return entries
  }
}
