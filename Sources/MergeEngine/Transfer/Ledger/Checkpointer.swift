internal import SystemPackage

/// The ledger that makes a merge's progress durable while the pipeline keeps running.
///
/// A checkpoint has four steps, each begun when the previous one has completed: flush the target,
/// append the records, flush the journal, and forget the transfers that the checkpoint covers.
/// Those are the transfers that had completed when the flush of the target was issued, up to the
/// first that had not. Before the records are appended, `look` checks that the copied data has not
/// changed. After a failed flush, check or append, nothing more is recorded.
package struct Checkpointer: TransferLedger, ~Copyable {
  /// The maximum number of transfers that may wait for a checkpoint; `waitingByteCountMax` limits
  /// their bytes.
  package static let waitingCountMax = 128 << 10
  package static let waitingByteCountMax: UInt64 = 8 << 30
  /// The number of bytes after which a checkpoint is due, no matter how little time has passed.
  package static let dueByteCount: UInt64 = 4 << 30
  /// The number of slab bytes reserved for building a checkpoint's records.
  package static let slabByteCount = 4 << 20

  private enum Step {
    case idle
    case flushing(count: Int)
    case appending(count: Int, left: Int)
    case syncing(count: Int, left: Int)
  }

  private struct Waiting {
    enum State: UInt8 { case pending, merged, unchanged, pieces }
    var start: UInt64
    var byteCount: UInt64
    var checksum: UInt32 = 0
    var state = State.pending
  }

  package private(set) var failure: MergeError?
  package private(set) var checkpointCount: UInt64 = 0
  /// The number of bytes of the plan that this run made durable and recorded, each byte counted
  /// once.
  package private(set) var recordedByteCount: UInt64 = 0
  package private(set) var watermark: UInt64
  package private(set) var journal: JournalEncoder
  /// Ranges that this run could not read.
  package private(set) var unreadable = RangeSet()

  private var kind = JournalRecord.SweepKind.merge
  private var sweep: UInt64
  private let interval: Duration
  private let secondsSince1970: @Sendable () -> Int64
  private let look: () throws(MergeError) -> Void
  private let slabByteOffset: Int
  private let targetPath: String
  private let journalPath: String

  private var step = Step.idle
  /// A ring buffer of transfers indexed by ticket; the oldest one is the first that is not yet
  /// durable.
  ///
  /// The array grows as tickets are issued, because a short merge needs only a small part of the
  /// full ring.
  private var waiting: [Waiting]
  private var firstTicket: UInt64 = 0
  private var nextTicket: UInt64 = 0
  /// The number of consecutive transfers, from the oldest on, that have ended.
  private var endedCount = 0
  private var waitingByteCount: UInt64 = 0
  private var pieces: [UInt64: (entries: [JournalEntry], unreadable: [ByteRange])] = [:]
  private var lastCheckpoint: Duration
  private var appendedByteCount = 0

  /// - `slabByteOffset`: the start of the `slabByteCount` bytes that are reserved for this ledger
  ///   in the queue's slab.
  /// - `look`: checks the copied data and throws if it may have changed.
  package init(
    journal: JournalEncoder, watermark: UInt64, nextSweep: UInt64, interval: Duration,
    slabByteOffset: Int, targetPath: String, journalPath: String, now: Duration,
    secondsSince1970: @escaping @Sendable () -> Int64,
    look: @escaping () throws(MergeError) -> Void = {}
  ) {
    self.journal = journal
    self.watermark = watermark
    sweep = nextSweep
    self.interval = interval
    self.slabByteOffset = slabByteOffset
    self.targetPath = targetPath
    self.journalPath = journalPath
    self.secondsSince1970 = secondsSince1970
    self.look = look
    lastCheckpoint = now
    waiting = []
    waiting.reserveCapacity(Self.waitingCountMax)
  }

  /// Begins another pass over the plan.
  ///
  /// - Precondition: The ledger is settled.
  package mutating func beginSweep(_ kind: JournalRecord.SweepKind) {
    precondition(isSettled)
    self.kind = kind
    sweep += 1
    firstTicket = nextTicket
    endedCount = 0
    waitingByteCount = 0
    pieces.removeAll()
  }

  private var waitingCount: Int { Int(nextTicket - firstTicket) }

  package var isFull: Bool {
    waitingCount >= Self.waitingCountMax || waitingByteCount >= Self.waitingByteCountMax
  }

  package var isSettled: Bool {
    guard case .idle = step else { return false }
    return endedCount == 0 || failure != nil
  }

  package func sinceCheckpoint(now: Duration) -> Duration? {
    checkpointCount > 0 ? now - lastCheckpoint : nil
  }

  package mutating func began(_ range: ByteRange) -> UInt64 {
    precondition(waitingCount < Self.waitingCountMax)
    let ticket = nextTicket
    nextTicket += 1
    let item = Waiting(start: range.start, byteCount: range.byteCount)
    let place = place(ticket)
    if place == waiting.count { waiting.append(item) } else { waiting[place] = item }
    waitingByteCount += range.byteCount
    return ticket
  }

  package mutating func ended(_ ticket: UInt64, _ outcome: TransferOutcome) {
    let place = place(ticket)
    switch outcome {
    case .merged(let checksum):
      waiting[place].checksum = checksum
      waiting[place].state = .merged
    case .unchanged:
      waiting[place].state = .unchanged
    case .pieces(let entries, let unreadable):
      waiting[place].state = .pieces
      pieces[ticket] = (entries, unreadable)
      for range in unreadable { self.unreadable.insert(range) }
    }
    while endedCount < waitingCount,
      waiting[self.place(firstTicket + UInt64(endedCount))].state != .pending
    {
      endedCount += 1
    }
  }

  private func place(_ ticket: UInt64) -> Int { Int(ticket % UInt64(Self.waitingCountMax)) }

  package mutating func advance<IO: BlockIO & ~Copyable>(
    _ io: inout IO, now: Duration, isLast: Bool
  ) {
    guard case .idle = step, endedCount > 0, failure == nil else { return }
    let isDue =
      isLast || isFull || waitingByteCount >= Self.dueByteCount
      || (now - lastCheckpoint >= interval
        && JournalSize.allowsCheckpoint(of: endedCount, after: checkpointCount))
    guard isDue else { return }
    io.enqueue(IORequest(.flush, .target, tag: RequestTag.targetFlush.tag))
    step = .flushing(count: endedCount)
  }

  package mutating func completed<IO: BlockIO & ~Copyable>(
    _ completion: IOCompletion, _ io: inout IO, now: Duration
  ) {
    switch step {
    case .idle:
      return
    case .flushing(let count):
      guard completion.result >= 0 else {
        return fail(.cannotFlushOrigin(targetPath, Errno(result: completion.result)))
      }
      do throws(MergeError) {
        try look()
      } catch {
        return fail(error.afterFirstWrite())
      }
      append(count, &io, now: now)
    case .appending(let count, let left):
      guard completion.result == Int64(appendedByteCount) else {
        return fail(.cannotAppendJournal(journalPath, Errno(ofWrite: completion.result)))
      }
      io.enqueue(IORequest(.flush, .journal, tag: RequestTag.journalFlush.tag))
      step = .syncing(count: count, left: left)
    case .syncing(let count, let left):
      guard completion.result >= 0 else {
        return fail(.cannotFlushJournal(journalPath, Errno(result: completion.result)))
      }
      journal.advance()
      forget(count)
      lastCheckpoint = now
      checkpointCount += 1
      step = .idle
      if left > 0 { append(left, &io, now: now) }
    }
  }

  /// Appends a single record and makes it durable.
  ///
  /// - Precondition: Nothing is in flight.
  package mutating func append<IO: BlockIO & ~Copyable>(
    _ record: JournalRecord, _ io: inout IO
  ) throws(MergeError) {
    if let failure { throw failure }
    journal.add(record)
    let bytes = journal.appendBytes()
    appendedByteCount = bytes.count
    io.store(RawSpan(_elements: bytes.span), at: slabByteOffset)
    let written = io.perform(
      IORequest(
        .write, .journal, byteOffset: journal.endByteOffset, slabByteOffset: slabByteOffset,
        byteCount: appendedByteCount, tag: RequestTag.journalWrite.tag))
    if written != Int64(appendedByteCount) {
      fail(.cannotAppendJournal(journalPath, Errno(ofWrite: written)))
    } else {
      let flushed = io.perform(IORequest(.flush, .journal, tag: RequestTag.journalFlush.tag))
      if flushed < 0 { fail(.cannotFlushJournal(journalPath, Errno(result: flushed))) }
    }
    if let failure { throw failure }
    journal.advance()
  }

  private mutating func fail(_ error: MergeError) {
    step = .idle
    failure = error
  }

  /// Encodes records for the first `count` transfers and appends them, filling up to half of the
  /// buffer at a time.
  ///
  /// The other half is kept free for all the pieces of one transfer that has bad spots.
  private mutating func append<IO: BlockIO & ~Copyable>(
    _ count: Int, _ io: inout IO, now: Duration
  ) {
    var taken = 0
    var builder = CheckpointBuilder(
      seconds: secondsSince1970(), kind: kind, sweep: sweep, watermark: watermark)
    while taken < count,
      journal.pendingByteCount < Self.slabByteCount / 2
    {
      let ticket = firstTicket + UInt64(taken)
      let item = waiting[place(ticket)]
      let end = item.start + item.byteCount
      switch item.state {
      case .pending, .unchanged:
        builder.pass(to: end)
      case .merged:
        builder.add(
          JournalEntry(start: item.start, byteCount: item.byteCount, checksum: item.checksum),
          to: &journal)
      case .pieces:
        guard let (entries, unreadable) = pieces[ticket] else { break }
        builder.addUnreadable(unreadable, to: &journal)
        for entry in entries { builder.add(entry, to: &journal) }
        builder.pass(to: end)
      }
      taken += 1
    }
    builder.finish(&journal)
    watermark = builder.watermark
    guard journal.pendingByteCount > 0 else {
      forget(taken)
      lastCheckpoint = now
      step = .idle
      return
    }
    let bytes = journal.appendBytes()
    appendedByteCount = bytes.count
    precondition(appendedByteCount <= Self.slabByteCount)
    io.store(RawSpan(_elements: bytes.span), at: slabByteOffset)
    io.enqueue(
      IORequest(
        .write, .journal, byteOffset: journal.endByteOffset, slabByteOffset: slabByteOffset,
        byteCount: appendedByteCount, tag: RequestTag.journalWrite.tag))
    step = .appending(count: taken, left: count - taken)
  }

  private mutating func forget(_ count: Int) {
    for _ in 0..<count {
      let item = waiting[place(firstTicket)]
      waitingByteCount -= item.byteCount
      if kind != .recheck { recordedByteCount += recordedByteCount(of: item, firstTicket) }
      if item.state == .pieces { pieces[firstTicket] = nil }
      firstTicket += 1
    }
    endedCount -= count
  }

  private func recordedByteCount(of item: Waiting, _ ticket: UInt64) -> UInt64 {
    switch item.state {
    case .pending, .unchanged: 0
    case .merged: item.byteCount
    case .pieces: pieces[ticket]?.entries.reduce(0) { $0 + $1.byteCount } ?? 0
    }
  }
}

/// A builder that packs entries into checkpoint records of limited size.
private struct CheckpointBuilder {
  private var checkpoint: JournalRecord.Checkpoint
  private var passed: UInt64
  private(set) var watermark: UInt64

  init(seconds: Int64, kind: JournalRecord.SweepKind, sweep: UInt64, watermark: UInt64) {
    checkpoint = JournalRecord.Checkpoint(
      seconds: seconds, kind: kind, sweep: sweep, watermark: watermark, entries: [])
    checkpoint.entries.reserveCapacity(JournalRecord.entryCountMax)
    self.watermark = watermark
    passed = watermark
  }

  /// Marks everything before `end` as done; only a merge sweep moves the watermark.
  mutating func pass(to end: UInt64) {
    if checkpoint.kind == .merge { passed = max(passed, end) }
  }

  mutating func add(_ entry: JournalEntry, to journal: inout JournalEncoder) {
    if checkpoint.entries.count == JournalRecord.entryCountMax { finish(&journal) }
    checkpoint.entries.append(entry)
    pass(to: entry.end)
  }

  mutating func addUnreadable(_ ranges: [ByteRange], to journal: inout JournalEncoder) {
    var first = 0
    while first < ranges.count {
      let end = min(first + JournalRecord.rangeCountMax, ranges.count)
      journal.add(.unreadable(Array(ranges[first..<end])))
      first = end
    }
  }

  /// Ends the current record if it has entries or moves the watermark.
  mutating func finish(_ journal: inout JournalEncoder) {
    guard !checkpoint.entries.isEmpty || passed > watermark else { return }
    checkpoint.watermark = passed
    watermark = passed
    journal.add(.checkpoint(checkpoint))
    checkpoint.entries.removeAll(keepingCapacity: true)
  }
}
