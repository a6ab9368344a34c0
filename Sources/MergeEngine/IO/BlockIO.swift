// Before SystemPackage, whose C headers would otherwise be taken for the home of what the system declares.
internal import Glibc
package import SystemPackage

/// What the pipelines run on: a queue of reads, writes and flushes on a few files.
///
/// In the product it is ``LinuxAIO``; in tests a simulated disk. Bytes travel through a slab that the
/// queue owns, since the kernel keeps using a buffer after the call returns; requests name places in
/// it. Nobody may touch the bytes of a request between `submit` and its completion.
package protocol BlockIO: ~Copyable {
  /// How many requests may be enqueued or in flight at once.
  var requestCountMax: Int { get }
  /// How many are enqueued or in flight now.
  var requestCount: Int { get }
  var slabByteCount: Int { get }
  /// How long handing requests to the device took in all.
  var submitDuration: Duration { get }

  /// Adds a request to the batch. Precondition: `requestCount < requestCountMax`.
  mutating func enqueue(_ request: IORequest)

  /// Hands the batch to the device; what the device does not take yet stays enqueued.
  mutating func submit()

  /// Waits until `minimum` requests have completed, or as many as a batch holds, or the time is over, or a
  /// signal came, and replaces the batch's content by what has completed.
  ///
  /// - Throws: `Errno` where completions cannot be learned of any more, `.canceled` where nobody waits for
  ///   them any longer. It is not known then what is in flight: the queue's memory is never given back, every
  ///   later call throws the same, and the queue is of no other use.
  mutating func reap(
    atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch
  ) throws(Errno)

  /// Does one request and waits for it. Precondition: nothing else is enqueued or in flight.
  /// - Returns: Bytes done, or a negative errno.
  mutating func perform(_ request: IORequest) -> Int64

  @_lifetime(borrow self)
  borrowing func bytes(at slabByteOffset: Int, count byteCount: Int) -> RawSpan

  /// Copies bytes into the slab, for records that are made in memory.
  mutating func store(_ bytes: RawSpan, at slabByteOffset: Int)
}

/// One of the open files that a request can be for.
package enum IOFile: UInt8, CaseIterable, Sendable {
  case metadata
  case data
  /// What is written to, or compared with the source.
  case target
  /// The target again, through the page cache: for the unaligned tail.
  case targetBuffered
  case journal
}

/// One read, write or flush.
package struct IORequest {
  /// What is done.
  package enum Operation: UInt8, Sendable {
    case read, write
    /// Makes durable what was written to the file and had completed before.
    case flush
  }

  package var operation: Operation
  package var file: IOFile
  package var byteOffset: UInt64
  package var slabByteOffset: Int
  package var byteCount: Int
  /// Comes back with the completion.
  package var tag: UInt64

  package init(
    _ operation: Operation, _ file: IOFile, byteOffset: UInt64 = 0, slabByteOffset: Int = 0,
    byteCount: Int = 0, tag: UInt64
  ) {
    self.operation = operation
    self.file = file
    self.byteOffset = byteOffset
    self.slabByteOffset = slabByteOffset
    self.byteCount = byteCount
    self.tag = tag
  }
}

/// What became of a request.
package struct IOCompletion: BitwiseCopyable {
  package var tag: UInt64
  /// Bytes done, or a negative errno.
  package var result: Int64

  package init(tag: UInt64, result: Int64) {
    self.tag = tag
    self.result = result
  }
}

/// Completions of one `reap`, in a fixed place so that reaping allocates nothing.
package struct CompletionBatch: ~Copyable {
  package static let capacity = 64
  private var completions = FixedArray<IOCompletion>(capacity: capacity)

  package init() {}

  package var count: Int { completions.count }

  package subscript(index: Int) -> IOCompletion { completions.span[index] }

  package mutating func removeAll() { completions.removeAll() }

  /// Precondition: fewer than `capacity` are in it.
  package mutating func append(_ completion: IOCompletion) { completions.append(completion) }
}
