/// The valid content of a journal, as gathered from its records.
package struct JournalState: Sendable {
  /// Consecutive checkpoints whose entries are in ascending order throughout.
  struct Sweep: Sendable {
    var firstByteOffset: UInt64
    var firstSequence: UInt64
    var endByteOffset: UInt64
    var firstStart: UInt64
    var lastEnd: UInt64
  }

  /// The sweep whose checkpoints are being read, and the chain that contains the sweep.
  private struct OpenSweep {
    var sweep: UInt64
    var chain: Int
  }

  /// The maximum number of unreadable ranges that may await a retry; a merge with more cannot be
  /// resumed.
  package static let unreadableCountMax = 64 << 10

  package private(set) var watermark: UInt64 = 0
  /// The number of bytes recorded, each counted only once.
  package private(set) var doneByteCount: UInt64 = 0
  package private(set) var unreadable = RangeSet()
  package private(set) var isFinished = false
  package private(set) var isVerified = false
  /// The time when the merge last finished, even if another run began later; nil if it never
  /// finished.
  package private(set) var finishedSeconds: Int64?
  /// The merge that replaced this one; nil if none did.
  package private(set) var givenUp: StatusReport.GivenUp?
  /// The LVM handover of a finished merge; nil if the handover has not begun or was dropped.
  package private(set) var handover: VolumeHandover?
  /// True if the LVM handover is complete.
  package private(set) var isHandedOver = false
  package private(set) var lastAttempt: JournalRecord.Attempt?
  package private(set) var attemptCount: UInt64 = 0
  /// The thin devices that any run was allowed to change and that can be recognized again.
  package private(set) var agreedSharers = AgreedSharers()
  package private(set) var lastSeconds: Int64
  /// The total duration of all runs in seconds, each measured from its start to its last record.
  package private(set) var writingSeconds: Int64 = 0
  /// The size of the largest entry in bytes, which is also the buffer size needed to re-read
  /// entries.
  package private(set) var entryByteCountMax: UInt64 = 0
  package private(set) var nextSequence: UInt64 = 1
  package private(set) var nextSweep: UInt64 = 0
  /// The byte offset at which the last record ends.
  package private(set) var endByteOffset: UInt64
  /// The size to truncate the file to before appending.
  ///
  /// The last record's block is kept if it was written in full, since it may be durable. If the
  /// file ends in the middle of a block, that block was never durable, and padding it with zeros
  /// must not turn it into a valid record.
  package private(set) var cutByteOffset: UInt64
  /// True if the file has a torn tail that must be cut off.
  package private(set) var hasTornEnd = false
  /// Chains of sweeps; within each chain, all entries are in ascending order.
  ///
  /// A sweep that begins before the end of any chain starts a new chain.
  private(set) var chains: [[Sweep]] = []
  /// The limits set by the header: no byte past `limit` may be recorded, and no more than
  /// `plannedByteCount` bytes in all.
  private let limit: UInt64
  private let plannedByteCount: UInt64
  private static let passedSecondsMax: Int64 = 1 << 40
  private var open: OpenSweep?
  private var attemptBegan: Int64

  /// Reads all records of a journal.
  ///
  /// - `isBeingWritten`: whether a merge is appending right now. That merge checked for a torn tail
  ///   when it began, so any bytes after the last record may have been appended during this read.
  /// - Throws: `MergeError` (`journalConflict`) if an invalid record is followed by records that
  ///   were appended after it was durable: the journal is then corrupt, not just torn by a crash.
  package init<IO: BlockIO & ~Copyable>(
    reading reader: inout JournalReader<IO>, isBeingWritten: Bool = false
  ) throws(MergeError) {
    endByteOffset = reader.headerByteCount
    cutByteOffset = reader.byteCount
    limit = reader.header.endByteOffset
    plannedByteCount = reader.header.plannedByteCount
    lastSeconds = reader.header.madeSeconds
    attemptBegan = reader.header.madeSeconds
    do throws(JournalFault) {
      while let next = try reader.record(following: endByteOffset, sequence: nextSequence) {
        try take(next.record, at: next.byteOffset, next: next.endByteOffset)
        nextSequence += 1
        endByteOffset = next.endByteOffset
      }
      if doneByteCount < plannedByteCount {
        isFinished = false
        isVerified = false
      }
      if isBeingWritten { return }
      let nextAppend = endByteOffset.roundedUp(
        toMultipleOf: JournalEncoder.appendAlignmentByteCount)
      guard reader.byteCount > endByteOffset, reader.byteCount != nextAppend else { return }
      cutByteOffset = reader.byteCount < nextAppend ? endByteOffset : nextAppend
      guard try !reader.hasAppend(behind: endByteOffset, after: nextSequence) else {
        throw .damaged(at: endByteOffset)
      }
      hasTornEnd = true
    } catch {
      throw error.conflict(path: reader.path)
    }
  }

  private mutating func take(
    _ record: JournalRecord, at byteOffset: UInt64, next: UInt64
  ) throws(JournalFault) {
    switch record {
    case .attempt(let attempt):
      isFinished = false
      isVerified = false
      handover = nil
      isHandedOver = false
      lastAttempt = attempt
      agreedSharers.add(attempt.agreedSharers.filter(\.canBeKnownAgain))
      attemptCount += 1
      attemptBegan = attempt.seconds
      note(attempt.seconds)
    case .checkpoint(let checkpoint):
      try take(checkpoint, at: byteOffset, next: next)
      note(checkpoint.seconds)
    case .unreadable(let ranges):
      for range in ranges {
        guard range.end <= limit else {
          throw .unreadableOutside(at: byteOffset)
        }
        let passed = ByteRange(
          start: min(range.start, watermark), end: min(range.end, watermark))
        // Ranges that a re-check cannot read were counted when first recorded; a retry will count
        // them again.
        doneByteCount -= min(unreadable.insert(passed), doneByteCount)
        unreadable.insert(range)
      }
      guard unreadable.ranges.count <= Self.unreadableCountMax else {
        throw .tooManyUnreadable(max: Self.unreadableCountMax)
      }
    case .finished(let seconds):
      isFinished = true
      finishedSeconds = seconds
      note(seconds)
    case .verified(let seconds):
      isVerified = true
      note(seconds)
    case .handover(let begun, let seconds):
      handover = begun
      lastSeconds = seconds
    case .handoverDropped(let seconds):
      handover = nil
      lastSeconds = seconds
    case .handedOver(let seconds):
      isHandedOver = true
      lastSeconds = seconds
    case .givenUp(let taker):
      givenUp = taker
      // No run has written anything since the previous record, so `writingSeconds` does not change.
      lastSeconds = taker.seconds
    }
  }

  private mutating func note(_ seconds: Int64) {
    // The clock may have been adjusted, or the journal crafted, so implausible intervals are
    // ignored.
    let (passed, overflow) = seconds.subtractingReportingOverflow(max(lastSeconds, attemptBegan))
    if !overflow, (0...Self.passedSecondsMax).contains(passed) {
      writingSeconds = min(writingSeconds + passed, Self.passedSecondsMax)
    }
    lastSeconds = seconds
  }

  /// Rejects a checkpoint whose entries would count bytes twice.
  ///
  /// A merge sweep continues from the watermark, and a retry covers only unreadable ranges, so the
  /// byte counts of their entries can simply be added up. A re-check only replaces entries, all of
  /// which are before the watermark.
  private func checkEntries(
    of checkpoint: JournalRecord.Checkpoint, at byteOffset: UInt64
  ) throws(JournalFault) {
    guard let first = checkpoint.entries.first, let last = checkpoint.entries.last else { return }
    guard last.end <= (checkpoint.kind == .merge ? checkpoint.watermark : watermark) else {
      throw .behindWatermark(at: byteOffset)
    }
    let isNew =
      switch checkpoint.kind {
      case .merge: first.start >= watermark
      case .retry: checkpoint.entries.allSatisfy { unreadable.contains($0.range) }
      case .recheck: true
      }
    guard isNew else {
      throw .recordedTwice(at: byteOffset)
    }
  }

  private mutating func take(
    _ checkpoint: JournalRecord.Checkpoint, at byteOffset: UInt64, next: UInt64
  ) throws(JournalFault) {
    guard checkpoint.watermark >= watermark, checkpoint.watermark <= limit,
      checkpoint.entries.last?.end ?? 0 <= limit
    else {
      throw .checkpointOutside(at: byteOffset)
    }
    defer {
      watermark = checkpoint.watermark
      nextSweep = max(nextSweep, checkpoint.sweep + 1)
    }
    guard let first = checkpoint.entries.first, let last = checkpoint.entries.last else { return }
    var byteCount: UInt64 = 0
    var largest: UInt64 = 0
    for entry in checkpoint.entries {
      byteCount &+= entry.byteCount
      largest = max(largest, entry.byteCount)
    }
    // The sum cannot have overflowed: there are at most `JournalRecord.entryCountMax` entries, each
    // at most this size.
    guard largest <= TransferOptions.ioByteCountRange.upperBound else {
      throw .entrySize(
        largest, at: byteOffset, max: TransferOptions.ioByteCountRange.upperBound)
    }
    try checkEntries(of: checkpoint, at: byteOffset)
    entryByteCountMax = max(entryByteCountMax, largest)
    if checkpoint.kind != .recheck {
      doneByteCount += byteCount
      guard doneByteCount <= plannedByteCount else {
        throw .tooManyBytes()
      }
    }
    if !unreadable.isEmpty {
      for entry in checkpoint.entries { unreadable.remove(entry.range) }
    }
    let sweep = Sweep(
      firstByteOffset: byteOffset, firstSequence: nextSequence, endByteOffset: next,
      firstStart: first.start, lastEnd: last.end)
    if let open, open.sweep == checkpoint.sweep {
      guard let before = chains[open.chain].popLast(), before.lastEnd <= first.start else {
        throw .notRising(at: byteOffset)
      }
      chains[open.chain].append(
        Sweep(
          firstByteOffset: before.firstByteOffset, firstSequence: before.firstSequence,
          endByteOffset: next,
          firstStart: before.firstStart, lastEnd: last.end))
      return
    }
    // A sweep extends the first chain only if it begins after the end of all chains. The reader
    // sees only the head of each chain, so without this rule it would mistake an older entry for
    // the newest wherever another chain's entry extends past the end of this chain.
    let isBehindAll = chains.allSatisfy { ($0.last?.lastEnd ?? 0) <= first.start }
    let chain = isBehindAll ? 0 : chains.count
    if chain == chains.count { chains.append([]) }
    chains[chain].append(sweep)
    open = OpenSweep(sweep: checkpoint.sweep, chain: chain)
  }
}

extension JournalState {
  /// Returns true if a run must read the recorded ranges again.
  ///
  /// If the merge is already finished, a run has nothing else to do.
  ///
  /// - `trusted`: whether the results of earlier runs are trusted.
  /// - `byCopy`: whether the source is a copy of the one that earlier runs read.
  func isReadAgain(trusted: Bool, byCopy: Bool) -> Bool {
    !trusted || byCopy || finishedSeconds != nil
  }
}
