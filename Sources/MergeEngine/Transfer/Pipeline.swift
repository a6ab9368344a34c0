internal import SystemPackage

/// The loop that moves all data: it reads transfers, inspects them, writes them if the step says
/// so, and accounts for them.
///
/// The feed supplies transfers. The step decides what is read and what is written. The ledger
/// records the results. For one pass, the pipeline owns all three as well as the queue.
///
/// The pipeline uses one thread, a fixed number of slots, and at most `depth` reads and writes in
/// flight. Writes go first because they free slots.
package struct Pipeline<
  IO: BlockIO & ~Copyable, Feed: TransferFeed & ~Copyable, Step: TransferStep & ~Copyable,
  Ledger: TransferLedger & ~Copyable
>: ~Copyable {
  private var requests: RequestQueue<IO>
  private var feed: Feed
  private var step: Step
  private var ledger: Ledger
  private let shape: PipelineShape
  private let control: RunControl
  private let targetPath: String
  private var slots: SlotTable
  /// Slots with reads to enqueue, in plan order.
  private var readQueue: SlotQueue
  /// Slots with a write to enqueue; the earliest in the plan comes first, to be recorded first.
  private var writeQueue: SlotHeap
  /// Slots with a bad spot, the earliest in the plan first.
  ///
  /// The unaligned tail waits until no other work is left, so it must not precede other slots.
  private var salvageQueue: SlotHeap
  private var salvage: Salvage?
  /// The next ticket to inspect, for steps that inspect transfers in plan order.
  private var nextInspected: UInt64 = 0
  private var limiter: RateLimiter
  private var isWritingTail = false
  private var isStopping = false
  private var failure: MergeError?
  private var writtenByteCount: UInt64 = 0
  private var doneByteCount: UInt64 = 0
  private var unreadable = RangeSet()
  private var isFeedEmpty = false
  /// True if a transfer was abandoned after it had begun.
  private var hasAbandoned = false
  private var transfer = Transfer()

  /// Runs until the feed is empty and everything is recorded, or until the run is stopped.
  ///
  /// - `io` and `ledger`: owned by the pipeline during the pass and handed back afterward.
  /// - `progress`: the progress so far; updated and reported several times a second.
  package static func pass(
    _ shape: PipelineShape, _ io: inout IO, feed: consuming Feed, step: consuming Step,
    ledger: inout Ledger, targetPath: String, control: RunControl, progress: MergeProgress
  ) -> PassResult<Step> {
    var pipeline = Pipeline(
      shape, io: io, feed: feed, step: step, ledger: ledger, targetPath: targetPath,
      control: control)
    let end = pipeline.run(progress)
    let parts = pipeline.finish(end)
    io = parts.io
    ledger = parts.ledger
    return parts.result
  }

  /// The values that a pipeline hands back at the end of a pass.
  private struct Parts: ~Copyable {
    let io: IO
    let ledger: Ledger
    let result: PassResult<Step>
  }

  private init(
    _ shape: PipelineShape, io: consuming IO, feed: consuming Feed, step: consuming Step,
    ledger: consuming Ledger, targetPath: String, control: RunControl
  ) {
    precondition(
      !(Step.readsSource && Step.readsTarget) || shape.buffersPerSlot == 2,
      "a step that reads both sides needs a buffer for each")
    requests = RequestQueue(io, depth: shape.depth)
    self.feed = feed
    self.step = step
    self.ledger = ledger
    self.shape = shape
    self.control = control
    self.targetPath = targetPath
    slots = SlotTable(
      shape, readsSource: Step.readsSource, readsTarget: Step.readsTarget,
      isOrdered: Step.isOrdered)
    readQueue = SlotQueue(capacity: shape.slotCount)
    writeQueue = SlotHeap(capacity: shape.slotCount)
    salvageQueue = SlotHeap(capacity: shape.slotCount)
    limiter = RateLimiter(bytesPerSecond: shape.rateLimit)
  }

  private consuming func finish(_ end: PipelineEnd) -> Parts {
    Parts(
      io: requests.io, ledger: ledger,
      result: PassResult(
        end: end, step: step, writtenByteCount: writtenByteCount, unreadable: unreadable))
  }

  private mutating func run(_ begun: MergeProgress) -> PipelineEnd {
    let begin = control.clock.now()
    var nextReport = begin
    while true {
      let now = control.clock.now()
      if control.interruption.isRequested || ledger.failure != nil || failure != nil {
        isStopping = true
      }
      // While stopping, no slot waits for its turn: the slot before it may have been abandoned.
      if isStopping {
        for slot in slots.indices where slots[slot].state == .arrived { abandon(slot) }
      }
      takeTransfers()
      enqueueWrites(now: now)
      enqueueReads()
      startSalvage()
      let isIdle = slots.areAllFree && (isFeedEmpty || isStopping)
      ledger.advance(&requests.io, now: now, isLast: isIdle)
      if isIdle, ledger.isSettled { break }
      if now >= nextReport {
        nextReport = now + .milliseconds(100)
        report(begun, now: now, elapsed: now - begin)
      }
      do throws(Errno) {
        try wait(now: now)
      } catch {
        giveUp(error)
        break
      }
      for index in 0..<requests.completionCount { completed(requests[index], now: now) }
    }
    report(begun, now: control.clock.now(), elapsed: control.clock.now() - begin)
    if let failure = failure ?? ledger.failure { return .failed(failure) }
    return isFeedEmpty && !hasAbandoned ? .finished : .interrupted
  }

  /// Ends the run without waiting for requests in flight; the next run repeats those transfers.
  private mutating func giveUp(_ errno: Errno) {
    hasAbandoned = true
    if errno != .canceled { stop(.cannotWait(targetPath, errno)) }
  }

  /// Records the first failure and starts no new transfers; requests in flight complete.
  private mutating func stop(_ error: MergeError) {
    isStopping = true
    if failure == nil { failure = error }
  }

  private func report(_ begun: MergeProgress, now: Duration, elapsed: Duration) {
    var progress = begun
    progress.doneByteCount += doneByteCount
    progress.elapsed = elapsed
    progress.readsInFlight = requests.readCount
    progress.writesInFlight = requests.writeCount
    progress.sinceCheckpoint = ledger.sinceCheckpoint(now: now)
    progress.isSalvaging = salvage != nil || !salvageQueue.isEmpty
    progress.unreadableByteCount = unreadable.byteCount
    control.report(progress)
  }

  private mutating func wait(now: Duration) throws(Errno) {
    // A signal that arrives just before the wait is noticed only after it, so the wait is limited.
    let limit = Duration.milliseconds(200)
    let timeout = writeQueue.isEmpty ? limit : min(limit, limiter.delay(now: now) ?? limit)
    // A salvage proceeds one unit or piece at a time, so it waits for a single completion.
    try requests.wait(timeout, forOne: salvage != nil, clock: control.clock)
  }

  /// Assigns transfers to free slots as long as their reads can be enqueued soon.
  private mutating func takeTransfers() {
    while !isStopping, !isFeedEmpty,
      readQueue.isEmpty || requests.hasRoom,
      readQueue.count < shape.depth, slots.byteCount < shape.byteCountMax, !ledger.isFull,
      slots.hasFree
    {
      do throws(MergeError) {
        guard try feed.next(&transfer) else {
          isFeedEmpty = true
          return
        }
      } catch {
        return stop(error.afterFirstWrite())
      }
      precondition(transfer.byteCount <= shape.bufferByteCount)
      let ticket = ledger.began(transfer.range)
      readQueue.append(slots.begin(transfer, ticket: ticket))
    }
  }

  private mutating func completed(_ completion: IOCompletion, now: Duration) {
    let slot = RequestTag.slot(of: completion.tag)
    switch RequestTag(of: completion.tag) {
    case .sourceRead:
      requests.endRead()
      let index = RequestTag.segment(of: completion.tag)
      if goesOn(slot, slots.sourceArrived(slot, segment: index, completion.result)) {
        requests.enqueueRead(slots.sourceRead(slot, segment: index))
      }
      inspectIfComplete(slot)
    case .targetRead:
      requests.endRead()
      if goesOn(slot, slots.targetArrived(slot, completion.result)) {
        requests.enqueueRead(slots.targetRead(slot))
      }
      inspectIfComplete(slot)
    case .targetWrite:
      requests.endWrite()
      written(slot, completion.result)
    case .salvageSource, .salvageTarget:
      requests.endRead()
      unitRead(completion.result, now: now)
    case .salvageWrite:
      requests.endWrite()
      pieceWritten(completion.result, now: now)
    case .targetFlush, .journalWrite, .journalFlush, nil:
      ledger.completed(completion, &requests.io, now: now)
    }
  }

  private mutating func end(_ slot: Int, _ outcome: TransferOutcome) {
    doneByteCount += slots[slot].range.byteCount
    ledger.ended(slots[slot].ticket, outcome)
    slots.release(slot)
  }

  /// Abandons the transfer in a slot: the transfer is not recorded, and the next run repeats it.
  private mutating func abandon(_ slot: Int) {
    hasAbandoned = true
    slots.release(slot)
  }

  private mutating func enqueueReads() {
    while !isTailUnderWay, let slot = readQueue.first,
      requests.hasRoom
    {
      if isStopping, slots[slot].nextRead == 0 {
        // No read of this transfer has been enqueued yet, so there is nothing to wait for.
        readQueue.removeFirst()
        abandon(slot)
        continue
      }
      requests.enqueueRead(slots.nextRead(slot))
      if slots.hasAllReads(slot) { readQueue.removeFirst() }
    }
  }

  /// Returns true if the rest of a read must be requested; otherwise ends the read.
  private mutating func goesOn(_ slot: Int, _ arrival: Arrival) -> Bool {
    if arrival == .more, !isStopping { return true }
    slots.endRead(slot, isBad: arrival != .complete)
    return false
  }

  private mutating func inspectIfComplete(_ slot: Int) {
    guard slots[slot].pendingReadCount == 0, slots[slot].state == .reading,
      slots.hasAllReads(slot) || isStopping
    else { return }
    if isStopping {
      if !slots.hasAllReads(slot) { readQueue.removeFirst() }
      return abandon(slot)
    }
    slots.arrived(slot)
    guard Step.isOrdered else { return inspect(slot) }
    inspectInOrder()
  }

  /// Inspects arrived slots in plan order, up to the first one with a bad spot, which is salvaged.
  private mutating func inspectInOrder() {
    while let slot = slots.slot(withTicket: nextInspected), slots[slot].state == .arrived,
      !slots[slot].hasBadSpot
    {
      nextInspected += 1
      inspect(slot)
    }
    if let slot = slots.slot(withTicket: nextInspected), slots[slot].state == .arrived {
      putToSalvage(slot)
    }
  }

  private mutating func putToSalvage(_ slot: Int) {
    slots.beginSalvage(slot)
    salvageQueue.insert(slot, ticket: slots[slot].ticket)
  }

  private mutating func inspect(_ slot: Int) {
    guard !slots[slot].hasBadSpot else { return putToSalvage(slot) }
    let range = slots[slot].range
    switch verdict(slot, range, recordedChecksum: slots[slot].recordedChecksum) {
    case .write(let checksum):
      slots.beginWrite(slot, checksum: checksum)
      writeQueue.insert(slot, ticket: slots[slot].ticket)
    case .keep:
      end(slot, .unchanged)
    }
  }

  /// Returns the step's verdict on a range of a slot's transfer, all of which has been read.
  private mutating func verdict(
    _ slot: Int, _ range: ByteRange, recordedChecksum: UInt32?
  ) -> Verdict {
    let first = Int(range.start - slots[slot].range.start)
    let byteCount = Int(range.byteCount)
    return step.inspect(
      range, recordedChecksum: recordedChecksum,
      source: requests.io.bytes(
        at: shape.sourceBuffer(slot) + first, count: Step.readsSource ? byteCount : 0),
      target: requests.io.bytes(
        at: shape.targetBuffer(slot) + first, count: Step.readsTarget ? byteCount : 0))
  }

  private mutating func enqueueWrites(now: Duration) {
    while let slot = writeQueue.first, requests.hasRoom {
      if isStopping, slots[slot].writtenByteCount == 0 {
        writeQueue.removeFirst()
        abandon(slot)
        continue
      }
      guard mayTouchTail(slot) else { return }
      guard limiter.delay(now: now) == nil else { return }
      writeQueue.removeFirst()
      limiter.pass(slots[slot].range.byteCount, now: now)
      isWritingTail = slots.isInTail(slot)
      requests.enqueueWrite(slots.write(slot))
    }
  }

  /// Returns true if a slot may be written or salvaged now; a slot in the unaligned tail must wait
  /// until no other work is left.
  ///
  /// The tail goes through the page cache, so no direct request may be in flight on the target. The
  /// tail is last in the plan and waits until nothing else is left. After bad spots the tail may
  /// consist of several transfers, which go one by one without waiting for each other's slots.
  private func mayTouchTail(_ slot: Int) -> Bool {
    guard slots.isInTail(slot) else { return true }
    return requests.isIdle
      && slots.indices.allSatisfy { slots[$0].state == .free || slots.isInTail($0) }
  }

  /// True while the unaligned tail is written or salvaged; nothing may be read from the target then.
  private var isTailUnderWay: Bool {
    if isWritingTail { return true }
    guard let slot = salvage?.slot else { return false }
    return slots.isInTail(slot)
  }

  private mutating func written(_ slot: Int, _ result: Int64) {
    switch slots.written(slot, result) {
    case .more: return requests.enqueueWrite(slots.write(slot))
    case .bad where !isStopping && control.isWritableAgain(after: result):
      return requests.enqueueWrite(slots.write(slot))
    case .bad:
      fail(slots[slot].range.start + UInt64(slots[slot].writtenByteCount), result)
      abandon(slot)
    case .complete:
      writtenByteCount += slots[slot].range.byteCount
      end(slot, .merged(checksum: slots[slot].checksum))
    }
    isWritingTail = false
  }

  private mutating func fail(_ byteOffset: UInt64, _ result: Int64) {
    stop(.cannotWriteOrigin(targetPath, byteOffset: byteOffset, Errno(ofWrite: result)))
  }

  private mutating func startSalvage() {
    if isStopping {
      while let slot = salvageQueue.first {
        salvageQueue.removeFirst()
        abandon(slot)
      }
    }
    guard salvage == nil, let slot = salvageQueue.first, mayTouchTail(slot),
      requests.hasRoomForBoth || requests.isIdle
    else { return }
    salvageQueue.removeFirst()
    salvage = Salvage(
      slot: slot, range: slots[slot].range, unitByteCountMax: shape.salvageByteCount)
    readUnit()
  }

  /// Enqueues the reads for the salvage's current unit.
  private mutating func readUnit() {
    guard let current = salvage else { return }
    if Step.readsSource, let request = slots.sourceRead(current) {
      requests.enqueueRead(request)
      salvage?.readBegan()
    }
    if Step.readsTarget {
      requests.enqueueRead(slots.targetRead(current))
      salvage?.readBegan()
    }
  }

  private mutating func unitRead(_ result: Int64, now: Duration) {
    guard salvage?.readCompleted(result) == true, var current = salvage else { return }
    let segment = slots.segment(of: current.slot, at: current.position)
    let end = segment.map { $0.bufferByteOffset + $0.byteCount } ?? slots[current.slot].byteCount
    let hasMore = current.advance(segmentEnd: Step.readsSource && !Step.readsTarget ? end : nil)
    salvage = current
    if isStopping { return abandonSalvage() }
    if hasMore { return readUnit() }
    if Step.isOrdered { nextInspected += 1 }
    inspectPieces(now: now)
  }

  /// Inspects the readable pieces of the salvage until one must be written or none are left.
  private mutating func inspectPieces(now: Duration) {
    while let current = salvage, let piece = current.piece {
      switch verdict(current.slot, piece, recordedChecksum: nil) {
      case .write(let checksum):
        salvage?.beginPiece(checksum: checksum)
        slots.beginPiece(current.slot)
        // The rate limit cannot delay this write, but it delays later writes to compensate.
        limiter.pass(piece.byteCount, now: now)
        return requests.enqueueWrite(slots.write(piece, of: current.slot))
      case .keep:
        salvage?.keepPiece()
      }
    }
    guard let current = salvage.take() else { return }
    for bad in current.unreadable { unreadable.insert(bad) }
    end(current.slot, .pieces(current.entries, unreadable: current.unreadable))
    if unreadable.ranges.count > JournalState.unreadableCountMax {
      stop(.tooMuchUnreadable(targetPath, rangeCountMax: JournalState.unreadableCountMax))
    }
    if Step.isOrdered { inspectInOrder() }
  }

  private mutating func pieceWritten(_ result: Int64, now: Duration) {
    guard let current = salvage, let piece = current.piece else { return }
    switch slots.written(current.slot, result, of: Int(piece.byteCount)) {
    case .more: requests.enqueueWrite(slots.write(piece, of: current.slot))
    case .bad where !isStopping && control.isWritableAgain(after: result):
      requests.enqueueWrite(slots.write(piece, of: current.slot))
    case .bad:
      fail(piece.start + UInt64(slots[current.slot].writtenByteCount), result)
      abandonSalvage()
    case .complete:
      writtenByteCount += piece.byteCount
      salvage?.pieceWritten(piece)
      if isStopping { abandonSalvage() } else { inspectPieces(now: now) }
    }
  }

  /// Abandons the salvage: its transfer is not recorded, and the next run repeats it.
  private mutating func abandonSalvage() {
    guard let current = salvage.take() else { return }
    abandon(current.slot)
  }
}
