/// A transfer of which something could not be read, on its way through smaller and smaller pieces.
///
/// First every unit of it is read by itself; then each stretch that could be read is inspected and, if
/// the work says so, written; the rest is named unreadable. One transfer at a time.
struct Salvage {
  enum Step { case reading, writing }

  var slot: Int
  var step = Step.reading
  /// The next byte of the transfer to be read, or the one that is being written from.
  var position = 0
  var pendingCount = 0
  var unitIsBad = false
  /// A side ends here: everything behind is bad without trying.
  var endsEarly = false
  var bad = RangeSet()
  var pieces: [ByteRange] = []
  var entries: [JournalEntry] = []
  var checksum: UInt32 = 0
}

extension Pipeline where Work: ~Copyable {
  mutating func startSalvage<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    if isStopping {
      while let slot = salvageQueue.first {
        salvageQueue.removeFirst()
        abandon(slot)
      }
    }
    guard salvage == nil, let slot = salvageQueue.first, mayTouchTail(slot),
      readsInFlight + writesInFlight + 2 <= shape.depth || readsInFlight + writesInFlight == 0
    else { return }
    salvageQueue.removeFirst()
    salvage = Salvage(slot: slot)
    readUnit(&io)
  }

  /// Enqueues the reads of the unit at the salvage's position.
  private mutating func readUnit<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    guard let current = salvage else { return }
    let slot = current.slot
    if Work.readsSource {
      let first = slot * shape.segmentCountMax
      guard
        let segment = segments[first..<first + slots[slot].segmentCount].last(where: {
          $0.bufferByteOffset <= current.position
        })
      else { return }
      io.enqueue(
        IORequest(
          .read, .data,
          byteOffset: segment.dataByteOffset + UInt64(current.position - segment.bufferByteOffset),
          slabByteOffset: shape.sourceBuffer(slot) + current.position,
          byteCount: roundedUp(unitByteCount(current), shape.dataAlignmentByteCount),
          tag: RequestTag.salvageSource.tag(slot: slot)))
      readsInFlight += 1
      salvage?.pendingCount += 1
    }
    if Work.readsTarget {
      io.enqueue(
        IORequest(
          .read, .target, byteOffset: slots[slot].range.start + UInt64(current.position),
          slabByteOffset: shape.targetBuffer(slot) + current.position,
          byteCount: roundedUp(unitByteCount(current), shape.targetAlignmentByteCount),
          tag: RequestTag.salvageTarget.tag(slot: slot)))
      readsInFlight += 1
      targetReadsInFlight += 1
      salvage?.pendingCount += 1
    }
  }

  private func unitByteCount(_ salvage: Salvage) -> Int {
    min(shape.salvageByteCount, slots[salvage.slot].byteCount - salvage.position)
  }

  mutating func salvageCompleted<IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable>(
    _ completion: IOCompletion, _ io: inout IO, _ work: inout Work, _ record: inout Record,
    now: Duration
  ) {
    guard var current = salvage else { return }
    if RequestTag(of: completion.tag) == .salvageWrite {
      writesInFlight -= 1
      return pieceWritten(completion.result, &io, &work, &record, now: now)
    }
    readsInFlight -= 1
    if RequestTag(of: completion.tag) == .salvageTarget { targetReadsInFlight -= 1 }
    let unit = unitByteCount(current)
    if completion.result < Int64(unit) { current.unitIsBad = true }
    if completion.result == 0 { current.endsEarly = true }
    current.pendingCount -= 1
    salvage = current
    guard current.pendingCount == 0 else { return }

    let range = slots[current.slot].range
    let unitStart = range.start + UInt64(current.position)
    if current.endsEarly, Work.readsSource, !Work.readsTarget {
      current.bad.insert(ByteRange(start: unitStart, end: segmentEnd(current)))
      current.position = Int(segmentEnd(current) - range.start)
    } else {
      if current.unitIsBad {
        current.bad.insert(ByteRange(start: unitStart, end: unitStart + UInt64(unit)))
      }
      current.position += unit
    }
    current.unitIsBad = false
    current.endsEarly = false
    salvage = current
    if isStopping { return abandonSalvage() }
    if current.position < slots[current.slot].byteCount { return readUnit(&io) }

    var good = RangeSet()
    good.insert(range)
    for bad in current.bad.ranges { good.remove(bad) }
    salvage?.pieces = good.ranges
    salvage?.step = .writing
    if Work.isOrdered { nextInspected += 1 }
    inspectPieces(&io, &work, &record, now: now)
  }

  /// Where the segment under the salvage's position ends on the target.
  private func segmentEnd(_ salvage: Salvage) -> UInt64 {
    let first = salvage.slot * shape.segmentCountMax
    let segment = segments[first..<first + slots[salvage.slot].segmentCount].last {
      $0.bufferByteOffset <= salvage.position
    }
    let range = slots[salvage.slot].range
    guard let segment else { return range.end }
    return range.start + UInt64(segment.bufferByteOffset + segment.byteCount)
  }

  /// Inspects the stretches that could be read, until one is to be written or none is left.
  private mutating func inspectPieces<
    IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable
  >(_ io: inout IO, _ work: inout Work, _ record: inout Record, now: Duration) {
    while let current = salvage, let piece = current.pieces.first {
      let slot = current.slot
      let offset = Int(piece.start - slots[slot].range.start)
      let byteCount = Int(piece.byteCount)
      let verdict = work.inspect(
        piece, recordedChecksum: nil,
        source: io.bytes(
          at: shape.sourceBuffer(slot) + offset, count: Work.readsSource ? byteCount : 0),
        target: io.bytes(
          at: shape.targetBuffer(slot) + offset, count: Work.readsTarget ? byteCount : 0))
      switch verdict {
      case .write(let checksum):
        salvage?.checksum = checksum
        slots[slot].writtenByteCount = 0
        // It cannot wait for its turn, but what follows waits for it.
        limiter.pass(piece.byteCount, now: now)
        return enqueuePiece(&io)
      case .keep:
        salvage?.pieces.removeFirst()
      }
    }
    guard let current = salvage else { return }
    for bad in current.bad.ranges { unreadable.insert(bad) }
    salvage = nil
    end(
      current.slot, .pieces(current.entries, unreadable: current.bad.ranges), &record)
    if unreadable.ranges.count > JournalState.unreadableCountMax {
      isStopping = true
      failure = MergeError(
        .stopped, "too much cannot be read", at: targetPath,
        because:
          "more than \(JournalState.unreadableCountMax) ranges of it have no source that can "
          + "be read",
        hint: "the pool's data device may be failing: see the kernel's log")
    }
    if Work.isOrdered { inspectInOrder(io, &work, &record) }
  }

  private mutating func pieceDone(_ checksum: UInt32) {
    guard let piece = salvage?.pieces.first else { return }
    salvage?.entries.append(
      JournalEntry(start: piece.start, byteCount: piece.byteCount, checksum: checksum))
    salvage?.pieces.removeFirst()
  }

  private mutating func enqueuePiece<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    guard let current = salvage, let piece = current.pieces.first else { return }
    let done = slots[current.slot].writtenByteCount
    let offset = Int(piece.start - slots[current.slot].range.start) + done
    io.enqueue(
      IORequest(
        .write, piece.start >= shape.tailByteOffset ? .targetBuffered : .target,
        byteOffset: piece.start + UInt64(done),
        slabByteOffset: shape.sourceBuffer(current.slot) + offset,
        byteCount: Int(piece.byteCount) - done,
        tag: RequestTag.salvageWrite.tag(slot: current.slot)))
    writesInFlight += 1
  }

  private mutating func pieceWritten<
    IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable
  >(
    _ result: Int64, _ io: inout IO, _ work: inout Work, _ record: inout Record, now: Duration
  ) {
    guard let current = salvage, let piece = current.pieces.first else { return }
    let done = slots[current.slot].writtenByteCount + Int(max(0, result))
    if result > 0, done >= Int(piece.byteCount) {
      writtenByteCount += piece.byteCount
      pieceDone(current.checksum)
      return isStopping ? abandonSalvage() : inspectPieces(&io, &work, &record, now: now)
    }
    let aligned = done / shape.targetAlignmentByteCount * shape.targetAlignmentByteCount
    guard result > 0, aligned > slots[current.slot].writtenByteCount else {
      fail(piece.start + UInt64(slots[current.slot].writtenByteCount), result)
      return abandonSalvage()
    }
    slots[current.slot].writtenByteCount = aligned
    enqueuePiece(&io)
  }

  /// The transfer stays unrecorded; the next run does it again.
  private mutating func abandonSalvage() {
    guard let current = salvage else { return }
    salvage = nil
    abandon(current.slot)
  }
}
