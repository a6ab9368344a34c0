/// The outcome of a transfer.
package enum TransferOutcome: Equatable, Sendable {
  /// The target contains bytes with this checksum.
  case merged(checksum: UInt32)
  /// The target is unchanged; nothing is recorded.
  case unchanged
  /// Some bytes could not be read; the rest were merged as these pieces.
  case pieces([JournalEntry], unreadable: [ByteRange])
}

/// A record of a pipeline's transfers, used to write durable progress to the journal.
///
/// The pipeline itself counts the totals for reports.
package protocol TransferLedger: ~Copyable {
  /// True if no transfer may begin until some earlier ones are durable.
  var isFull: Bool { get }
  /// True if every ended transfer is recorded and the ledger has no request in flight.
  var isSettled: Bool { get }
  /// The first error in flushing or recording; nothing is recorded after it.
  var failure: MergeError? { get }
  /// Returns the time since the last checkpoint became durable; nil if there has been no
  /// checkpoint.
  func sinceCheckpoint(now: Duration) -> Duration?

  /// Registers the start of a transfer; transfers start in plan order.
  /// - Returns: The ticket to pass to `ended`.
  mutating func began(_ range: ByteRange) -> UInt64
  mutating func ended(_ ticket: UInt64, _ outcome: TransferOutcome)
  /// Enqueues the requests that are due; if `isLast` is true, every ended transfer is due to be
  /// recorded.
  mutating func advance<IO: BlockIO & ~Copyable>(_ io: inout IO, now: Duration, isLast: Bool)
  /// Handles the completion of one of the ledger's requests.
  mutating func completed<IO: BlockIO & ~Copyable>(
    _ completion: IOCompletion, _ io: inout IO, now: Duration)
}

/// A ledger that records nothing, used for comparisons.
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
