/// The valid content of a journal.
package struct JournalState: Sendable {
  /// Consecutive checkpoints whose entries rise from the first to the last.
  struct Sweep: Sendable {
    var firstByteOffset: UInt64
    var firstSequence: UInt64
    var endByteOffset: UInt64
    var firstStart: UInt64
    var lastEnd: UInt64
  }

  /// The sweep whose checkpoints are being read, and the chain that it is part of.
  private struct OpenSweep {
    var sweep: UInt64
    var chain: Int
  }

  /// The most unreadable ranges that may wait for a retry; a merge with more is not resumed.
  package static let unreadableCountMax = 64 << 10

  package private(set) var watermark: UInt64 = 0
  /// The bytes recorded, each counted once.
  package private(set) var doneByteCount: UInt64 = 0
  package private(set) var unreadable = RangeSet()
  package private(set) var isFinished = false
  package private(set) var isVerified = false
  /// The time at which the merge last finished, even if a later run began.
  package private(set) var finishedSeconds: Int64?
  /// The merge that replaced this one; nil if there is none.
  package private(set) var givenUp: StatusReport.GivenUp?
  /// The handover in LVM of a finished merge; nil if it has not begun or was dropped.
  package private(set) var handover: VolumeHandover?
  /// True if the handover is complete.
  package private(set) var isHandedOver = false
  package private(set) var lastAttempt: JournalRecord.Attempt?
  package private(set) var attemptCount: UInt64 = 0
  /// The recognizable thin devices that any run was allowed to change.
  package private(set) var agreedSharers = AgreedSharers()
  package private(set) var lastSeconds: Int64
  /// The time that runs took, each from its begin to its last record.
  package private(set) var writingSeconds: Int64 = 0
  /// The largest entry, and so the buffer size that a re-read of entries needs.
  package private(set) var entryByteCountMax: UInt64 = 0
  package private(set) var nextSequence: UInt64 = 1
  package private(set) var nextSweep: UInt64 = 0
  /// The end of the last record.
  package private(set) var endByteOffset: UInt64
  /// The size to truncate the file to before appending.
  ///
  /// The last record's block stays if it was written in full, since it may be durable. A block that
  /// the file ends inside was never durable, and zeros must not complete it to a valid record.
  package private(set) var cutByteOffset: UInt64
  /// True if the file ends in a torn append that must be cut off.
  package private(set) var hasTornEnd = false
  /// Chains of sweeps, each with entries that rise throughout.
  ///
  /// A sweep that begins before the end of any chain starts a new one.
  private(set) var chains: [[Sweep]] = []
  /// The header's limits: no byte past `limit` is recorded, nor more than `plannedByteCount`.
  private let limit: UInt64
  private let plannedByteCount: UInt64
  private static let passedSecondsMax: Int64 = 1 << 40
  private var open: OpenSweep?
  private var attemptBegan: Int64

  /// Reads all records.
  ///
  /// - `isBeingWritten`: whether a merge is appending. That merge checked the bytes after the last
  ///   record when it began; bytes there now may have been appended during this read.
  /// - Throws: `MergeError` (`journalConflict`) if an invalid record is followed by records that
  ///   were appended after it was durable: the journal is then corrupt, not only torn by a crash.
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
        // Ranges that the re-check cannot read were recorded before; a retry counts them again.
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
      // No run wrote since the previous record, so `writingSeconds` stays.
      lastSeconds = taker.seconds
    }
  }

  private mutating func note(_ seconds: Int64) {
    // The clock may be set, and the journal may be crafted: implausible intervals are ignored.
    let (passed, overflow) = seconds.subtractingReportingOverflow(max(lastSeconds, attemptBegan))
    if !overflow, (0...Self.passedSecondsMax).contains(passed) {
      writingSeconds = min(writingSeconds + passed, Self.passedSecondsMax)
    }
    lastSeconds = seconds
  }

  /// Rejects entries that would count bytes twice.
  ///
  /// A merge sweep continues at the watermark, and a retry covers only unreadable ranges, so the
  /// byte counts of their entries can be added up. The re-check replaces entries, all of them
  /// before the watermark.
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
    // At most `JournalRecord.entryCountMax` entries of at most this size: the sum did not overflow.
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
    // sees only the head of each chain, so it would take an older entry for the newest where
    // another chain's entry reaches past the end of this chain.
    let isBehindAll = chains.allSatisfy { ($0.last?.lastEnd ?? 0) <= first.start }
    let chain = isBehindAll ? 0 : chains.count
    if chain == chains.count { chains.append([]) }
    chains[chain].append(sweep)
    open = OpenSweep(sweep: checkpoint.sweep, chain: chain)
  }
}

extension JournalState {
  /// Returns true if a run reads recorded ranges again.
  ///
  /// A run over a finished merge has nothing else to do.
  ///
  /// - `trusted`: whether earlier runs are trusted.
  /// - `byCopy`: whether the source is a copy of theirs.
  func isReadAgain(trusted: Bool, byCopy: Bool) -> Bool {
    !trusted || byCopy || finishedSeconds != nil
  }
}
