internal import SystemPackage

/// How a pipeline's run ended.
package enum PipelineEnd: Equatable, Sendable {
  case finished
  case interrupted
  case failed(MergeError)
}

/// The one loop that moves bytes: transfers are read, inspected, written if the work says so, and
/// accounted for.
///
/// What is read and what follows is the work's; where transfers come from, the feed's; what is
/// recorded, the record's.
///
/// One thread, a fixed number of slots, at most `depth` reads and writes in flight. Writes go first:
/// they free slots.
package struct Pipeline<Work: TransferWork & ~Copyable>: ~Copyable {
  let shape: PipelineShape
  let originPath: String
  var slots: [Slot]
  var segments: [SlotSegment]
  var freeSlots: [Int]
  /// Slots with reads to be enqueued, in the order of the plan.
  var readQueue: SlotQueue
  /// Slots with a write to be enqueued: the first of the plan goes first, so that it can be recorded.
  var writeQueue: SlotHeap
  var salvageQueue: [Int] = []
  var salvage: Salvage?
  /// Slots by ticket, for works that inspect in order.
  var slotByTicket: [Int]
  var nextInspected: UInt64 = 0
  var limiter: RateLimiter
  var readsInFlight = 0
  var writesInFlight = 0
  var originReadsInFlight = 0
  var isStopping = false
  var failure: MergeError?
  package internal(set) var writtenByteCount: UInt64 = 0
  package internal(set) var doneByteCount: UInt64 = 0
  /// Ranges of the origin that could not be dealt with, since a side of them could not be read.
  package internal(set) var unreadable = RangeSet()
  private var isFeedEmpty = false
  /// Whether a transfer that had begun was given up, since the run is to stop.
  private var hasAbandoned = false
  private var transfer = Transfer()
  private var batch = CompletionBatch()

  package init(_ shape: PipelineShape, originPath: String) {
    self.shape = shape
    self.originPath = originPath
    slots = Array(repeating: Slot(), count: shape.slotCount)
    segments = Array(repeating: SlotSegment(), count: shape.slotCount * shape.segmentCountMax)
    freeSlots = Array((0..<shape.slotCount).reversed())
    readQueue = SlotQueue(capacity: shape.slotCount)
    writeQueue = SlotHeap(capacity: shape.slotCount)
    slotByTicket = Array(repeating: -1, count: Work.isOrdered ? shape.slotCount : 0)
    limiter = RateLimiter(bytesPerSecond: shape.rateLimit)
  }

  /// Runs until the feed is empty and everything is recorded, or until it is to stop.
  ///
  /// `progress`: filled in and reported several times a second.
  package mutating func run<
    IO: BlockIO & ~Copyable, Feed: TransferFeed & ~Copyable, Record: TransferRecord & ~Copyable
  >(
    _ io: inout IO, feed: inout Feed, work: inout Work, record: inout Record, control: RunControl,
    progress begun: Progress
  ) -> PipelineEnd {
    let begin = control.clock.now()
    var nextReport = begin
    while true {
      let now = control.clock.now()
      if control.interruption.isRequested || record.failure != nil || failure != nil {
        isStopping = true
      }
      // Nothing waits for its turn any more: the one before may have been given up.
      if isStopping {
        for slot in slots.indices where slots[slot].state == .arrived { abandon(slot) }
      }
      takeTransfers(&feed, &record)
      enqueueWrites(&io, now: now)
      enqueueReads(&io)
      startSalvage(&io)
      let isIdle = freeSlots.count == slots.count && (isFeedEmpty || isStopping)
      record.advance(&io, now: now, isLast: isIdle)
      if isIdle, record.isSettled { break }
      if now >= nextReport {
        nextReport = now + .milliseconds(100)
        report(begun, control, record.sinceCheckpoint(now: now), elapsed: now - begin)
      }
      wait(&io, control.clock, now: now)
      for index in 0..<batch.count {
        completed(batch[index], &io, &work, &record, now: now)
      }
    }
    report(
      begun, control, record.sinceCheckpoint(now: control.clock.now()),
      elapsed: control.clock.now() - begin)
    if let failure = failure ?? record.failure { return .failed(failure) }
    return isFeedEmpty && !hasAbandoned ? .finished : .interrupted
  }

  private func report(
    _ begun: Progress, _ control: RunControl, _ sinceCheckpoint: Duration?, elapsed: Duration
  ) {
    var progress = begun
    progress.doneByteCount += doneByteCount
    progress.elapsed = elapsed
    progress.readsInFlight = readsInFlight
    progress.writesInFlight = writesInFlight
    progress.sinceCheckpoint = sinceCheckpoint
    control.report(progress)
  }

  private mutating func wait<IO: BlockIO & ~Copyable>(
    _ io: inout IO, _ clock: Clock, now: Duration
  ) {
    // A signal that comes just before the wait is seen after it: hence a limit.
    let limit = Duration.milliseconds(200)
    let timeout = writeQueue.isEmpty ? limit : min(limit, limiter.delay(now: now) ?? limit)
    io.submit()
    if io.requestCount > 0 {
      io.reap(atLeast: 1, timeout: timeout, into: &batch)
    } else {
      batch.removeAll()
      clock.sleep(timeout)
    }
  }

  /// Gives free slots transfers, as long as their reads can be enqueued soon.
  private mutating func takeTransfers<
    Feed: TransferFeed & ~Copyable, Record: TransferRecord & ~Copyable
  >(_ feed: inout Feed, _ record: inout Record) {
    while !isStopping, !isFeedEmpty,
      readQueue.isEmpty || readsInFlight + writesInFlight < shape.depth,
      readQueue.count < shape.depth, !record.isFull, let slot = freeSlots.last
    {
      do throws(MergeError) {
        guard try feed.next(&transfer) else {
          isFeedEmpty = true
          return
        }
      } catch {
        failure = error.afterFirstWrite()
        isStopping = true
        return
      }
      freeSlots.removeLast()
      begin(transfer, in: slot, ticket: record.began(transfer.range))
    }
  }

  private mutating func begin(_ transfer: Transfer, in slot: Int, ticket: UInt64) {
    precondition(transfer.byteCount <= shape.bufferByteCount)
    precondition(transfer.segments.count <= shape.segmentCountMax)
    slots[slot] = Slot(
      state: .reading, range: transfer.range, ticket: ticket,
      recordedChecksum: transfer.recordedChecksum,
      segmentCount: Work.readsSource ? transfer.segments.count : 0)
    if Work.isOrdered { slotByTicket[Int(ticket % UInt64(slots.count))] = slot }
    for index in 0..<slots[slot].segmentCount {
      let segment = transfer.segments[index]
      segments[slot * shape.segmentCountMax + index] = SlotSegment(
        dataByteOffset: segment.dataByteOffset,
        bufferByteOffset: Int(segment.originByteOffset - transfer.start),
        byteCount: Int(segment.byteCount))
    }
    readQueue.append(slot)
  }

  // MARK: Enqueueing

  private mutating func enqueueReads<IO: BlockIO & ~Copyable>(_ io: inout IO) {
    while let slot = readQueue.first, readsInFlight + writesInFlight < shape.depth {
      let index = slots[slot].nextRead
      let readCount = slots[slot].segmentCount + (Work.readsOrigin ? 1 : 0)
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
        enqueueOriginRead(slot, &io)
      }
      if slots[slot].nextRead == readCount { readQueue.removeFirst() }
    }
  }

  private mutating func enqueueSourceRead<IO: BlockIO & ~Copyable>(
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

  private mutating func enqueueOriginRead<IO: BlockIO & ~Copyable>(_ slot: Int, _ io: inout IO) {
    let done = slots[slot].originDoneByteCount
    io.enqueue(
      IORequest(
        .read, .origin, byteOffset: slots[slot].range.start + UInt64(done),
        slabByteOffset: shape.originBuffer(slot) + done,
        byteCount: roundedUp(slots[slot].byteCount - done, shape.originAlignmentByteCount),
        tag: RequestTag.originRead.tag(slot: slot)))
    readsInFlight += 1
    originReadsInFlight += 1
  }

  private mutating func enqueueWrites<IO: BlockIO & ~Copyable>(_ io: inout IO, now: Duration) {
    while let slot = writeQueue.first, readsInFlight + writesInFlight < shape.depth {
      if isStopping, slots[slot].writtenByteCount == 0 {
        writeQueue.removeFirst()
        abandon(slot)
        continue
      }
      guard mayTouchTail(slot) else { return }
      guard limiter.delay(now: now) == nil else { return }
      writeQueue.removeFirst()
      limiter.pass(slots[slot].range.byteCount, now: now)
      enqueueWrite(slot, &io)
    }
  }

  /// The tail goes through the page cache: nothing direct may be under way on the origin then.
  ///
  /// It is the last of the plan, so it waits until it is alone.
  func mayTouchTail(_ slot: Int) -> Bool {
    slots[slot].range.start < shape.tailByteOffset
      || freeSlots.count == slots.count - 1 && readsInFlight + writesInFlight == 0
  }

  private mutating func enqueueWrite<IO: BlockIO & ~Copyable>(_ slot: Int, _ io: inout IO) {
    let done = slots[slot].writtenByteCount
    let start = slots[slot].range.start
    io.enqueue(
      IORequest(
        .write, start >= shape.tailByteOffset ? .originBuffered : .origin,
        byteOffset: start + UInt64(done), slabByteOffset: shape.sourceBuffer(slot) + done,
        byteCount: slots[slot].byteCount - done, tag: RequestTag.originWrite.tag(slot: slot)))
    writesInFlight += 1
  }

  func roundedUp(_ byteCount: Int, _ unit: Int) -> Int { (byteCount + unit - 1) / unit * unit }

  // MARK: Completing

  private mutating func completed<
    IO: BlockIO & ~Copyable, Record: TransferRecord & ~Copyable
  >(
    _ completion: IOCompletion, _ io: inout IO, _ work: inout Work, _ record: inout Record,
    now: Duration
  ) {
    let slot = RequestTag.slot(of: completion.tag)
    switch RequestTag(of: completion.tag) {
    case .sourceRead:
      readsInFlight -= 1
      sourceArrived(slot, RequestTag.segment(of: completion.tag), completion.result, &io)
      inspectIfComplete(slot, io, &work, &record)
    case .originRead:
      readsInFlight -= 1
      originReadsInFlight -= 1
      originArrived(slot, completion.result, &io)
      inspectIfComplete(slot, io, &work, &record)
    case .originWrite:
      writesInFlight -= 1
      written(slot, completion.result, &io, &record)
    case .salvageSource, .salvageOrigin, .salvageWrite:
      salvageCompleted(completion, &io, &work, &record, now: now)
    case .originFlush, .journalWrite, .journalFlush, nil:
      record.completed(completion, &io, now: now)
    }
  }

  private mutating func sourceArrived<IO: BlockIO & ~Copyable>(
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

  private mutating func originArrived<IO: BlockIO & ~Copyable>(
    _ slot: Int, _ result: Int64, _ io: inout IO
  ) {
    guard result > 0 else { return noteBadSpot(slot) }
    let done = slots[slot].originDoneByteCount + Int(result)
    guard done < slots[slot].byteCount else { return slots[slot].pendingReadCount -= 1 }
    let aligned = done / shape.originAlignmentByteCount * shape.originAlignmentByteCount
    guard aligned > slots[slot].originDoneByteCount, !isStopping else { return noteBadSpot(slot) }
    slots[slot].originDoneByteCount = aligned
    enqueueOriginRead(slot, &io)
  }

  private mutating func noteBadSpot(_ slot: Int) {
    slots[slot].hasBadSpot = true
    slots[slot].pendingReadCount -= 1
  }

  private mutating func inspectIfComplete<
    IO: BlockIO & ~Copyable, Record: TransferRecord & ~Copyable
  >(_ slot: Int, _ io: borrowing IO, _ work: inout Work, _ record: inout Record) {
    let readCount = slots[slot].segmentCount + (Work.readsOrigin ? 1 : 0)
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
  mutating func inspectInOrder<IO: BlockIO & ~Copyable, Record: TransferRecord & ~Copyable>(
    _ io: borrowing IO, _ work: inout Work, _ record: inout Record
  ) {
    while let slot = nextInOrder, slots[slot].state == .arrived, !slots[slot].hasBadSpot {
      nextInspected += 1
      inspect(slot, io, &work, &record)
    }
    if let slot = nextInOrder, slots[slot].state == .arrived {
      salvageQueue.append(slot)
      slots[slot].state = .salvaging
    }
  }

  private var nextInOrder: Int? {
    let slot = slotByTicket[Int(nextInspected % UInt64(slots.count))]
    guard slot >= 0, slots[slot].ticket == nextInspected else { return nil }
    return slot
  }

  private mutating func inspect<IO: BlockIO & ~Copyable, Record: TransferRecord & ~Copyable>(
    _ slot: Int, _ io: borrowing IO, _ work: inout Work, _ record: inout Record
  ) {
    guard !slots[slot].hasBadSpot else {
      slots[slot].state = .salvaging
      return salvageQueue.append(slot)
    }
    let byteCount = slots[slot].byteCount
    let verdict = work.inspect(
      slots[slot].range, recordedChecksum: slots[slot].recordedChecksum,
      source: io.bytes(at: shape.sourceBuffer(slot), count: Work.readsSource ? byteCount : 0),
      origin: io.bytes(at: shape.originBuffer(slot), count: Work.readsOrigin ? byteCount : 0))
    switch verdict {
    case .write(let checksum):
      slots[slot].checksum = checksum
      slots[slot].state = .writing
      writeQueue.insert(slot, ticket: slots[slot].ticket)
    case .record(let checksum):
      end(slot, .merged(checksum: checksum), &record)
    case .keep:
      end(slot, .unchanged, &record)
    }
  }

  private mutating func written<IO: BlockIO & ~Copyable, Record: TransferRecord & ~Copyable>(
    _ slot: Int, _ result: Int64, _ io: inout IO, _ record: inout Record
  ) {
    let done = slots[slot].writtenByteCount + Int(max(0, result))
    if result > 0, done >= slots[slot].byteCount {
      writtenByteCount += slots[slot].range.byteCount
      return end(slot, .merged(checksum: slots[slot].checksum), &record)
    }
    let aligned = done / shape.originAlignmentByteCount * shape.originAlignmentByteCount
    guard result > 0, aligned > slots[slot].writtenByteCount else {
      fail(slots[slot].range.start + UInt64(slots[slot].writtenByteCount), result)
      return abandon(slot)
    }
    slots[slot].writtenByteCount = aligned
    enqueueWrite(slot, &io)
  }

  /// The origin could not be written: nothing new is begun, what is under way is completed.
  mutating func fail(_ byteOffset: UInt64, _ result: Int64) {
    isStopping = true
    guard failure == nil else { return }
    let errno = result < 0 ? Errno(rawValue: CInt(clamping: -result)) : .noSpace
    failure = MergeError(
      .stopped, "cannot write to the origin", at: "\(originPath), byte \(byteOffset)",
      because: "\(errno)")
  }

  mutating func end<Record: TransferRecord & ~Copyable>(
    _ slot: Int, _ outcome: TransferOutcome, _ record: inout Record
  ) {
    doneByteCount += slots[slot].range.byteCount
    record.ended(slots[slot].ticket, outcome)
    release(slot)
  }

  /// Gives a transfer up that had begun: it is not recorded, and the next run does it again.
  mutating func abandon(_ slot: Int) {
    hasAbandoned = true
    release(slot)
  }

  private mutating func release(_ slot: Int) {
    slots[slot].state = .free
    if Work.isOrdered {
      slotByTicket[Int(slots[slot].ticket % UInt64(slots.count))] = -1
    }
    freeSlots.append(slot)
  }
}
