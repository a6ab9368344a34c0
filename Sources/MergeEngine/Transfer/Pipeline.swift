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
package struct Pipeline<Work: TransferStep & ~Copyable>: ~Copyable {
  let shape: PipelineShape
  let targetPath: String
  var slots: [Slot]
  var segments: [SlotSegment]
  var freeSlots: [Int]
  /// Slots with reads to be enqueued, in the order of the plan.
  var readQueue: SlotQueue
  /// Slots with a write to be enqueued: the first of the plan goes first, so that it can be recorded.
  var writeQueue: SlotHeap
  /// Slots with a bad spot.
  ///
  /// Again the first of the plan: the tail, which waits until it is alone, must not be what others
  /// wait for.
  var salvageQueue: SlotHeap
  var salvage: Salvage?
  /// Slots by ticket, for works that inspect in order.
  var slotByTicket: [Int]
  var nextInspected: UInt64 = 0
  var limiter: RateLimiter
  var readsInFlight = 0
  var writesInFlight = 0
  var targetReadsInFlight = 0
  /// Bytes of all transfers that have a slot.
  private var begunByteCount: UInt64 = 0
  var isWritingTail = false
  var isStopping = false
  var failure: MergeError?
  package internal(set) var writtenByteCount: UInt64 = 0
  package internal(set) var doneByteCount: UInt64 = 0
  /// Ranges of the target that could not be dealt with, since a side of them could not be read.
  package internal(set) var unreadable = RangeSet()
  private var isFeedEmpty = false
  /// Whether a transfer that had begun was given up, since the run is to stop.
  private var hasAbandoned = false
  private var transfer = Transfer()
  private var batch = CompletionBatch()

  package init(_ shape: PipelineShape, targetPath: String) {
    self.shape = shape
    self.targetPath = targetPath
    slots = Array(repeating: Slot(), count: shape.slotCount)
    segments = Array(repeating: SlotSegment(), count: shape.slotCount * shape.segmentCountMax)
    freeSlots = Array((0..<shape.slotCount).reversed())
    readQueue = SlotQueue(capacity: shape.slotCount)
    writeQueue = SlotHeap(capacity: shape.slotCount)
    salvageQueue = SlotHeap(capacity: shape.slotCount)
    slotByTicket = Array(repeating: -1, count: Work.isOrdered ? shape.slotCount : 0)
    limiter = RateLimiter(bytesPerSecond: shape.rateLimit)
  }

  /// Runs until the feed is empty and everything is recorded, or until it is to stop.
  ///
  /// `progress`: filled in and reported several times a second.
  package mutating func run<
    IO: BlockIO & ~Copyable, Feed: TransferFeed & ~Copyable, Record: TransferLedger & ~Copyable
  >(
    _ io: inout IO, feed: inout Feed, work: inout Work, record: inout Record, control: RunControl,
    progress begun: MergeProgress
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
      do throws(Errno) {
        try wait(&io, control.clock, now: now)
      } catch {
        giveUp(error)
        break
      }
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

  /// Ends the run without what is in flight: it is not recorded, and the next run does it again.
  private mutating func giveUp(_ errno: Errno) {
    hasAbandoned = true
    guard errno != .canceled, failure == nil else { return }
    failure = MergeError(
      .stopped, "cannot wait for reads and writes", at: targetPath, because: "\(errno)",
      hint: Errno.asynchronousHint)
  }

  private func report(
    _ begun: MergeProgress, _ control: RunControl, _ sinceCheckpoint: Duration?, elapsed: Duration
  ) {
    var progress = begun
    progress.doneByteCount += doneByteCount
    progress.elapsed = elapsed
    progress.readsInFlight = readsInFlight
    progress.writesInFlight = writesInFlight
    progress.sinceCheckpoint = sinceCheckpoint
    progress.isSalvaging = salvage != nil || !salvageQueue.isEmpty
    progress.unreadableByteCount = unreadable.byteCount
    control.report(progress)
  }

  private mutating func wait<IO: BlockIO & ~Copyable>(
    _ io: inout IO, _ clock: Clock, now: Duration
  ) throws(Errno) {
    // A signal that comes just before the wait is seen after it: hence a limit.
    let limit = Duration.milliseconds(200)
    let timeout = writeQueue.isEmpty ? limit : min(limit, limiter.delay(now: now) ?? limit)
    io.submit()
    if io.requestCount > 0 {
      // Waking for each completion costs processor time, and half of the requests keep the devices busy; where
      // more than that are slow, the timeout bounds what the others wait. A salvage goes on piece by piece.
      let least = salvage == nil ? max(1, io.requestCount / 2) : 1
      try io.reap(atLeast: least, timeout: timeout, into: &batch)
    } else {
      batch.removeAll()
      clock.sleep(timeout)
    }
  }

  /// Gives free slots transfers, as long as their reads can be enqueued soon.
  private mutating func takeTransfers<
    Feed: TransferFeed & ~Copyable, Record: TransferLedger & ~Copyable
  >(_ feed: inout Feed, _ record: inout Record) {
    while !isStopping, !isFeedEmpty,
      readQueue.isEmpty || readsInFlight + writesInFlight < shape.depth,
      readQueue.count < shape.depth, begunByteCount < shape.byteCountMax, !record.isFull,
      let slot = freeSlots.last
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
        bufferByteOffset: Int(segment.targetByteOffset - transfer.start),
        byteCount: Int(segment.byteCount))
    }
    begunByteCount += transfer.byteCount
    readQueue.append(slot)
  }

  private mutating func completed<
    IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable
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
    case .targetRead:
      readsInFlight -= 1
      targetReadsInFlight -= 1
      targetArrived(slot, completion.result, &io)
      inspectIfComplete(slot, io, &work, &record)
    case .targetWrite:
      writesInFlight -= 1
      written(slot, completion.result, &io, &record)
    case .salvageSource, .salvageTarget, .salvageWrite:
      salvageCompleted(completion, &io, &work, &record, now: now)
    case .targetFlush, .journalWrite, .journalFlush, nil:
      record.completed(completion, &io, now: now)
    }
  }

  mutating func end<Record: TransferLedger & ~Copyable>(
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
    begunByteCount -= slots[slot].range.byteCount
    slots[slot].state = .free
    if Work.isOrdered {
      slotByTicket[Int(slots[slot].ticket % UInt64(slots.count))] = -1
    }
    freeSlots.append(slot)
  }
}
