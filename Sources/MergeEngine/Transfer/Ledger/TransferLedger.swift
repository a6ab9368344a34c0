/// How a transfer ended.
package enum TransferOutcome: Equatable, Sendable {
  /// The target holds bytes with that checksum.
  case merged(checksum: UInt32)
  /// As before; nothing is to be recorded.
  case unchanged
  /// Some of it could not be read; the rest is merged in these pieces.
  case pieces([JournalEntry], unreadable: [ByteRange])
}

/// What a pipeline tells of its transfers, so that what is durable can be recorded.
///
/// What a report adds up, the pipeline counts itself.
package protocol TransferLedger: ~Copyable {
  /// No further transfer may begin before some are durable.
  var isFull: Bool { get }
  /// Everything that ended is recorded, and nothing of the ledger's own is in flight.
  var isSettled: Bool { get }
  /// What went wrong with flushing or recording; then nothing more is recorded.
  var failure: MergeError? { get }
  /// Time since the last checkpoint was durable; nil if there was none.
  func sinceCheckpoint(now: Duration) -> Duration?

  /// A transfer begins; transfers begin in the order of the plan.
  /// - Returns: The ticket under which it ends.
  mutating func began(_ range: ByteRange) -> UInt64
  mutating func ended(_ ticket: UInt64, _ outcome: TransferOutcome)
  /// Enqueues what is due. With `isLast`, everything that ended is due.
  mutating func advance<IO: BlockIO & ~Copyable>(_ io: inout IO, now: Duration, isLast: Bool)
  /// A request of the ledger's own completed.
  mutating func completed<IO: BlockIO & ~Copyable>(
    _ completion: IOCompletion, _ io: inout IO, now: Duration)
}

/// Records nothing: for comparing.
package struct NoLedger: TransferLedger, ~Copyable {
  private var nextTicket: UInt64 = 0

  package init() {}

  package var isFull: Bool { false }
  package var isSettled: Bool { true }
  package var failure: MergeError? { nil }
  package func sinceCheckpoint(now: Duration) -> Duration? { nil }

  package mutating func began(_ range: ByteRange) -> UInt64 {
    defer { nextTicket += 1 }
    return nextTicket
  }

  package mutating func ended(_ ticket: UInt64, _ outcome: TransferOutcome) {}
  package mutating func advance<IO: BlockIO & ~Copyable>(
    _ io: inout IO, now: Duration, isLast: Bool
  ) {}
  package mutating func completed<IO: BlockIO & ~Copyable>(
    _ completion: IOCompletion, _ io: inout IO, now: Duration
  ) {}
}
