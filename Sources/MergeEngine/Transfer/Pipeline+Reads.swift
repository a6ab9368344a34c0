/// Reading: from a slot that got a transfer to the verdict on its bytes.
extension Pipeline where Work: ~Copyable {
  mutating func enqueueReads<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    while !isTailUnderWay, let slot = readQueue.first,
      readsInFlight + writesInFlight < shape.depth
    {
      let index = slots[slot].nextRead
      let readCount = slots[slot].segmentCount + (Work.readsTarget ? 1 : 0)
      if isStopping, index == 0 {
        // Nothing of it was read yet: it is simply not begun.
        readQueue.removeFirst()
        abandon(slot)
        continue
      }
      slots[slot].nextRead += 1
      slots[slot].pendingReadCount += 1
      if index < slots[slot].segmentCount {
        enqueueSourceRead(slot, index, &io)
      } else {
        enqueueTargetRead(slot, &io)
      }
      if slots[slot].nextRead == readCount { readQueue.removeFirst() }
    }
  }

  mutating func enqueueSourceRead<IO: BlockIO & ~Copyable>(
    _ slot: Int, _ index: Int, _ io: inout IO
  ) {
    let segment = segments[slot * shape.segmentCountMax + index]
    let left = segment.byteCount - segment.doneByteCount
    io.enqueue(
      IORequest(
        .read, .data, byteOffset: segment.dataByteOffset + UInt64(segment.doneByteCount),
        slabByteOffset: shape.sourceBuffer(slot) + segment.bufferByteOffset + segment.doneByteCount,
        byteCount: roundedUp(left, shape.dataAlignmentByteCount),
        tag: RequestTag.sourceRead.tag(slot: slot, segment: index)))
    readsInFlight += 1
  }

  mutating func enqueueTargetRead<IO: BlockIO & ~Copyable>(_ slot: Int, _ io: inout IO) {
    let done = slots[slot].targetDoneByteCount
    io.enqueue(
      IORequest(
        .read, .target, byteOffset: slots[slot].range.start + UInt64(done),
        slabByteOffset: shape.targetBuffer(slot) + done,
        byteCount: roundedUp(slots[slot].byteCount - done, shape.targetAlignmentByteCount),
        tag: RequestTag.targetRead.tag(slot: slot)))
    readsInFlight += 1
    targetReadsInFlight += 1
  }

  func roundedUp(_ byteCount: Int, _ unit: Int) -> Int { (byteCount + unit - 1) / unit * unit }

  mutating func sourceArrived<IO: BlockIO & ~Copyable>(
    _ slot: Int, _ index: Int, _ result: Int64, _ io: inout IO
  ) {
    let place = slot * shape.segmentCountMax + index
    let wanted = segments[place].byteCount
    guard result > 0 else { return noteBadSpot(slot) }
    let done = segments[place].doneByteCount + Int(result)
    guard done < wanted else { return slots[slot].pendingReadCount -= 1 }
    // A short direct read goes on at the last aligned boundary, not where it stopped.
    let aligned = done / shape.dataAlignmentByteCount * shape.dataAlignmentByteCount
    guard aligned > segments[place].doneByteCount, !isStopping else { return noteBadSpot(slot) }
    segments[place].doneByteCount = aligned
    enqueueSourceRead(slot, index, &io)
  }

  mutating func targetArrived<IO: BlockIO & ~Copyable>(
    _ slot: Int, _ result: Int64, _ io: inout IO
  ) {
    guard result > 0 else { return noteBadSpot(slot) }
    let done = slots[slot].targetDoneByteCount + Int(result)
    guard done < slots[slot].byteCount else { return slots[slot].pendingReadCount -= 1 }
    let aligned = done / shape.targetAlignmentByteCount * shape.targetAlignmentByteCount
    guard aligned > slots[slot].targetDoneByteCount, !isStopping else { return noteBadSpot(slot) }
    slots[slot].targetDoneByteCount = aligned
    enqueueTargetRead(slot, &io)
  }

  mutating func noteBadSpot(_ slot: Int) {
    slots[slot].hasBadSpot = true
    slots[slot].pendingReadCount -= 1
  }

  mutating func inspectIfComplete<
    IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable
  >(_ slot: Int, _ io: borrowing IO, _ work: inout Work, _ record: inout Record) {
    let readCount = slots[slot].segmentCount + (Work.readsTarget ? 1 : 0)
    guard slots[slot].pendingReadCount == 0, slots[slot].state == .reading,
      slots[slot].nextRead == readCount || isStopping
    else { return }
    if isStopping {
      if slots[slot].nextRead < readCount { readQueue.removeFirst() }
      return abandon(slot)
    }
    slots[slot].state = .arrived
    guard Work.isOrdered else { return inspect(slot, io, &work, &record) }
    inspectInOrder(io, &work, &record)
  }

  /// Inspects what has arrived, as far as it is next in the order of the plan.
  mutating func inspectInOrder<IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable>(
    _ io: borrowing IO, _ work: inout Work, _ record: inout Record
  ) {
    while let slot = nextInOrder, slots[slot].state == .arrived, !slots[slot].hasBadSpot {
      nextInspected += 1
      inspect(slot, io, &work, &record)
    }
    if let slot = nextInOrder, slots[slot].state == .arrived {
      salvageQueue.insert(slot, ticket: slots[slot].ticket)
      slots[slot].state = .salvaging
    }
  }

  private var nextInOrder: Int? {
    let slot = slotByTicket[Int(nextInspected % UInt64(slots.count))]
    guard slot >= 0, slots[slot].ticket == nextInspected else { return nil }
    return slot
  }

  mutating func inspect<IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable>(
    _ slot: Int, _ io: borrowing IO, _ work: inout Work, _ record: inout Record
  ) {
    guard !slots[slot].hasBadSpot else {
      slots[slot].state = .salvaging
      return salvageQueue.insert(slot, ticket: slots[slot].ticket)
    }
    let byteCount = slots[slot].byteCount
    let verdict = work.inspect(
      slots[slot].range, recordedChecksum: slots[slot].recordedChecksum,
      source: io.bytes(at: shape.sourceBuffer(slot), count: Work.readsSource ? byteCount : 0),
      target: io.bytes(at: shape.targetBuffer(slot), count: Work.readsTarget ? byteCount : 0))
    switch verdict {
    case .write(let checksum):
      slots[slot].checksum = checksum
      slots[slot].state = .writing
      writeQueue.insert(slot, ticket: slots[slot].ticket)
    case .keep:
      end(slot, .unchanged, &record)
    }
  }
}
