/// One execution with a journal, which reads what `resume`, `status` and `verify --journal` read.
package struct JournalCase {
  /// The parts of a journal that are compared after the journal has been read.
  private struct Reading: Equatable {
    var watermark, doneByteCount, endByteOffset, cutByteOffset, nextSequence, nextSweep: UInt64
    var runCount: UInt64
    var entryByteCountMax: UInt64
    var lastSeconds, writingSeconds: Int64
    var unreadable: RangeSet
    var isFinished, isVerified, hasTornEnd: Bool
    var pieces: [RecordedPiece] = []

    init(_ state: JournalState) {
      watermark = state.watermark
      doneByteCount = state.doneByteCount
      endByteOffset = state.endByteOffset
      cutByteOffset = state.cutByteOffset
      nextSequence = state.nextSequence
      nextSweep = state.nextSweep
      runCount = state.attemptCount
      entryByteCountMax = state.entryByteCountMax
      lastSeconds = state.lastSeconds
      writingSeconds = state.writingSeconds
      unreadable = state.unreadable
      isFinished = state.isFinished
      isVerified = state.isVerified
      hasTornEnd = state.hasTornEnd
    }
  }

  private let memory: FuzzMemory

  package init(_ memory: FuzzMemory) { self.memory = memory }

  /// Runs the input, and stops the process if any invariant is violated.
  ///
  /// - Returns: True if the journal was accepted.
  @discardableResult
  package func run(_ bytes: [UInt8]) -> Bool {
    let input = JournalInput(decoding: bytes)
    input.expand(into: memory)
    let failing = manner(failing: input.choices.failing, short: input.choices.short)
    guard let reading = reading(failing), failing.failing == 0 else {
      // A journal refused because of an I/O error may be valid, so it must also be read without the
      // error.
      return failing.failing != 0 && check(input)
    }
    guard let again = self.reading(manner(slabByteCount: input.choices.slabByteCount)) else {
      Finding.stop("a journal that was believed is refused when it is read again")
    }
    Finding.unless(again == reading, "a journal comes to something else when it is read again")
    return check(input)
  }

  private func manner(
    failing: Int = 0, short: Int = 0, slabByteCount: Int = JournalReader<FuzzQueue>.slabByteCount
  ) -> FuzzQueue.Manner {
    memory.beginReading()
    return FuzzQueue.Manner(
      target: .journal, deviceByteCount: UInt64(memory.mediumByteCount), requestCountMax: 1,
      slabByteCount: slabByteCount, failing: failing, short: short, requestTotalMax: 200_000)
  }

  private func reader(_ manner: FuzzQueue.Manner) throws(MergeError) -> JournalReader<FuzzQueue> {
    try JournalReader(
      path: "journal", byteCount: UInt64(memory.mediumByteCount), io: FuzzQueue(memory, manner))
  }

  /// Reads the journal; returns nil if it is refused.
  private func reading(_ manner: FuzzQueue.Manner) -> Reading? {
    do throws(MergeError) {
      var reader = try reader(manner)
      let state = try JournalState(reading: &reader)
      check(state, reader.header, reader.byteCount)
      var reading = Reading(state)
      var pieces = JournaledPieces(reader, state)
      var end: UInt64 = 0
      while let piece = try pieces.next() {
        Finding.unless(!piece.range.isEmpty && piece.range.start >= end, "pieces do not rise")
        Finding.unless(
          piece.range.byteCount <= state.entryByteCountMax, "a piece is larger than any entry")
        end = piece.range.end
        reading.pieces.append(piece)
      }
      return reading
    } catch {
      Finding.unless(
        error.kind == (manner.failing > 0 && error.kind == .refused ? .refused : .journalConflict),
        "reading fails with \(error)")
      return nil
    }
  }

  private func check(_ state: JournalState, _ header: JournalHeader, _ byteCount: UInt64) {
    Finding.unless(header.plannedByteCount <= header.endByteOffset, "more is planned than there is")
    Finding.unless(state.doneByteCount <= header.plannedByteCount, "more is done than planned")
    Finding.unless(
      !state.isFinished || state.doneByteCount == header.plannedByteCount,
      "it is finished, and not all is done")
    Finding.unless(state.watermark <= header.endByteOffset, "the watermark is behind the end")
    Finding.unless(state.endByteOffset <= byteCount, "records lie behind the journal's end")
    var end: UInt64 = 0
    for range in state.unreadable.ranges {
      Finding.unless(
        !range.isEmpty && (range.start > end || end == 0) && range.end <= header.endByteOffset,
        "unreadable ranges do not rise")
      end = range.end
    }
    checkRangePieces(state, header)
  }

  /// Checks the pieces in which unreadable ranges are retried, each of which must fit in a buffer.
  private func checkRangePieces(_ state: JournalState, _ header: JournalHeader) {
    let cuts = TransferCuts(
      ioByteCount: header.ioByteCount, endByteOffset: header.endByteOffset, alignmentByteCount: 512)
    var pieces = GivenPieces(state.unreadable, cuts: cuts, byteCountMax: header.ioByteCount)
    var end: UInt64 = 0
    do throws(MergeError) {
      for _ in 0..<64 {
        guard let piece = try pieces.next() else { break }
        Finding.unless(
          !piece.range.isEmpty && piece.range.start >= end
            && piece.range.end <= header.endByteOffset,
          "pieces of what is unreadable do not rise")
        end = piece.range.end
      }
    } catch {
      Finding.stop("ranges fail with \(error)")
    }
  }

  /// Compares a journal with the model, and its records with their encodings.
  private func check(_ input: JournalInput) -> Bool {
    guard let reading = reading(manner(slabByteCount: input.choices.slabByteCount)) else {
      return false
    }
    var model = JournalModel()
    do throws(MergeError) {
      var reader = try reader(manner())
      checkHeader(reader.header)
      var position = reader.headerByteCount
      var sequence: UInt64 = 1
      while position < reading.endByteOffset {
        guard
          let found = try? reader.record(following: position, sequence: sequence)
        else { Finding.stop("a record that was read is not there") }
        model.append(found.record, sequence: found.frame.sequence)
        checkEncoding(of: found.record, reader.header.dataBlockByteCount)
        position = found.endByteOffset
        sequence += 1
      }
    } catch {
      Finding.stop("a journal that was believed is refused: \(error)")
    }
    Finding.unless(!model.countsTwice, "bytes that are recorded already are counted again")
    guard !model.isTooLarge else { return true }
    Finding.unless(
      model.pieces == reading.pieces,
      "other pieces than the model's:\n\(reading.pieces)\n\(model.pieces)")
    Finding.unless(
      reading.doneByteCount <= JournalModel.byteCount(reading.pieces),
      "more is done than the pieces have")
    if let doneByteCount = model.doneByteCount {
      Finding.unless(doneByteCount == reading.doneByteCount, "another sum than the model's")
      Finding.unless(
        JournalModel.byteCount(reading.pieces) == doneByteCount, "the pieces are not what is done")
    }
    if input.choices.appends { checkAppending(to: reading) }
    return true
  }

  private func checkHeader(_ header: JournalHeader) {
    let encoded = header.encoded
    // Strings that were not valid UTF-8 grow when they are made valid.
    guard encoded.count <= JournalHeader.byteCountMax else { return }
    do throws(JournalFault) {
      let decoded = try JournalHeader(decoding: encoded)
      Finding.unless(decoded == header, "a header is not what it is encoded to")
    } catch {
      Finding.stop("a header's encoding is refused: \(error.reason)")
    }
  }

  private func checkEncoding(of record: JournalRecord, _ dataBlockByteCount: UInt64) {
    var writer = ByteWriter()
    record.encodePayload(into: &writer, dataBlockByteCount: dataBlockByteCount)
    Finding.unless(
      JournalRecord(
        kindCode: record.kindCode, payload: RawSpan(_elements: writer.bytes.span),
        dataBlockByteCount: dataBlockByteCount)
        == record,
      "a record is not what it is encoded to")
  }

  /// Checks that a merge can append after the last accepted record, overwriting whatever follows
  /// it.
  private func checkAppending(to reading: Reading) {
    var expected = reading
    do throws(MergeError) {
      let reader = try reader(manner())
      var encoder = JournalEncoder(
        endByteOffset: reading.endByteOffset, nextSequence: reading.nextSequence,
        headerChecksum: reader.headerChecksum, dataBlockByteCount: reader.header.dataBlockByteCount)
      encoder.add(.finished(seconds: reading.lastSeconds))
      let start = encoder.endByteOffset
      expected.endByteOffset = start + UInt64(encoder.pendingByteCount)
      let appended = encoder.appendBytes()
      memory.resize(Int(reading.cutByteOffset))
      memory.resize(Int(start) + appended.count)
      memory.write(RawSpan(_elements: appended.span), at: Int(start))
      expected.isFinished = reading.doneByteCount == reader.header.plannedByteCount
    } catch {
      Finding.stop("a journal that was believed is refused: \(error)")
    }
    expected.nextSequence += 1
    expected.hasTornEnd = false
    expected.cutByteOffset = UInt64(memory.mediumByteCount)
    guard var found = self.reading(manner()) else {
      Finding.stop("a journal is refused once the merge has gone on")
    }
    // The first record after the last one of another run reveals the time spent in that run.
    found.writingSeconds = expected.writingSeconds
    expected.isVerified = found.isVerified
    Finding.unless(found == expected, "going on with a merge changes what was recorded")
  }
}
