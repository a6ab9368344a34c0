/// What a journal says, as far as it can be believed.
package struct JournalState: Sendable {
  /// Checkpoints whose entries rise, from the first to the last record of it.
  struct Sweep: Sendable {
    var firstByteOffset: UInt64
    var firstSequence: UInt64
    var endByteOffset: UInt64
    var firstStart: UInt64
    var lastEnd: UInt64
  }

  /// The sweep whose checkpoints are being read, and the chain that it goes on.
  private struct OpenSweep {
    var sweep: UInt64
    var chain: Int
  }

  /// Ranges that may be waiting to be read again; a merge with more is not carried on.
  package static let unreadableCountMax = 64 << 10

  package private(set) var watermark: UInt64 = 0
  /// Bytes recorded, each once.
  package private(set) var doneByteCount: UInt64 = 0
  package private(set) var unreadable = RangeSet()
  package private(set) var isFinished = false
  package private(set) var isVerified = false
  /// When the merge last was finished, also if a later run takes that back.
  package private(set) var finishedSeconds: Int64?
  /// Set where another merge took its place.
  package private(set) var givenUp: StatusReport.GivenUp?
  /// What is done in LVM now that the merge is finished; nil where that has not begun.
  package private(set) var handover: VolumeHandover?
  /// Whether all of that is done.
  package private(set) var isHandedOver = false
  package private(set) var lastAttempt: JournalRecord.Attempt?
  package private(set) var attemptCount: UInt64 = 0
  /// The thin devices that some run had consent to change, as far as they can be known again.
  package private(set) var agreedSharers = AgreedSharers()
  package private(set) var lastSeconds: Int64
  /// Time from the beginning of each run to its last record.
  package private(set) var writingSeconds: Int64 = 0
  /// The largest entry; what reads entries again needs buffers of that size.
  package private(set) var entryByteCountMax: UInt64 = 0
  package private(set) var nextSequence: UInt64 = 1
  package private(set) var nextSweep: UInt64 = 0
  /// Where the last record ends.
  package private(set) var endByteOffset: UInt64
  /// Where the file is to be cut before it is gone on with: what is behind is no record.
  ///
  /// The block of the last record is left as it is if it was written as a whole, for it may be durable.
  /// One that the file ends in never was, and must not be filled up to a record by zeros.
  package private(set) var cutByteOffset: UInt64
  /// Whether there is something to be cut off.
  package private(set) var hasTornEnd = false
  /// Sweeps one behind the other whose entries rise throughout.
  ///
  /// A sweep that begins before the end of any other is the first of a chain of its own.
  private(set) var chains: [[Sweep]] = []
  /// What the header says: nothing is recorded behind the one, nor more than the other.
  private let limit: UInt64
  private let plannedByteCount: UInt64
  private static let passedSecondsMax: Int64 = 1 << 40
  private var open: OpenSweep?
  private var attemptBegan: Int64

  /// Reads all records.
  ///
  /// - `isBeingWritten`: whether a merge is appending. It has looked at what was behind the last record; what
  ///   stands there now may have come while this reads.
  /// - Throws: `MergeError` (`journalConflict`) where records follow an invalid one that were appended
  ///   after it was durable: then the journal was damaged, not only cut short by a crash.
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
        // What the re-check can no longer read had been recorded, and counts again once it is.
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
      // Nothing was written since the record before.
      lastSeconds = taker.seconds
    }
  }

  private mutating func note(_ seconds: Int64) {
    // Clocks are set, and what is recorded need not be true: a time that makes no sense counts nothing.
    let (passed, overflow) = seconds.subtractingReportingOverflow(max(lastSeconds, attemptBegan))
    if !overflow, (0...Self.passedSecondsMax).contains(passed) {
      writingSeconds = min(writingSeconds + passed, Self.passedSecondsMax)
    }
    lastSeconds = seconds
  }

  /// Refuses entries that would count bytes twice.
  ///
  /// A merging sweep goes on at the watermark, and a retry is of what is named unreadable. So the bytes
  /// of their entries can be added up. The re-check replaces entries, which lie before the watermark.
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
    // At most `JournalRecord.entryCountMax` entries of so many bytes: then the sum did fit.
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
    // Only behind everything: a reader of chains sees the first of each and would take an entry of
    // another chain that reaches over the end of this one for the newest.
    let isBehindAll = chains.allSatisfy { ($0.last?.lastEnd ?? 0) <= first.start }
    let chain = isBehindAll ? 0 : chains.count
    if chain == chains.count { chains.append([]) }
    chains[chain].append(sweep)
    open = OpenSweep(sweep: checkpoint.sweep, chain: chain)
  }
}

extension JournalState {
  /// Whether a run reads again what is recorded.
  ///
  /// A run over a finished merge has nothing else to do.
  ///
  /// - `trusted`: whether earlier runs are trusted.
  /// - `byCopy`: whether the source is a copy of theirs.
  func isReadAgain(trusted: Bool, byCopy: Bool) -> Bool {
    !trusted || byCopy || finishedSeconds != nil
  }
}
