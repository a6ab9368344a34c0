// Imported first, so that the system's declarations are not attributed to SystemPackage's C
// headers.
internal import Glibc
package import SystemPackage

/// A queue of reads, writes, and flushes on a few files.
///
/// The product uses ``LinuxAIO``; tests use a simulated disk. Data passes through a slab of memory
/// that the queue owns, because the kernel keeps using a buffer after the call returns. Requests
/// refer to positions in the slab. The bytes of a request must not be touched between `submit` and
/// the completion of the request.
package protocol BlockIO: ~Copyable {
  /// The maximum number of requests that may be enqueued or in flight.
  var requestCountMax: Int { get }
  /// The number of requests that are enqueued or in flight.
  var requestCount: Int { get }
  var slabByteCount: Int { get }
  /// The total time spent handing requests to the device.
  var submitDuration: Duration { get }

  /// Adds a request to the batch that the next `submit` hands to the device.
  ///
  /// - Precondition: `requestCount < requestCountMax`.
  mutating func enqueue(_ request: IORequest)

  /// Hands the batch to the device; requests that the device cannot accept yet stay enqueued.
  mutating func submit()

  /// Waits for completions and replaces the contents of `batch` with them.
  ///
  /// The wait ends when `minimum` requests have completed, the batch is full, the timeout expires,
  /// or a signal arrives.
  ///
  /// - Throws: `Errno` if completions can no longer be received; `.canceled` if the wait was
  ///   abandoned. Requests may still be in flight after an error, so the queue's memory is never
  ///   freed, every later `reap` throws the same error, and the queue is unusable.
  mutating func reap(
    atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch
  ) throws(Errno)

  /// Performs one request and waits for it to complete.
  ///
  /// - Precondition: Nothing else is enqueued or in flight.
  /// - Returns: The number of bytes transferred, or a negative errno.
  mutating func perform(_ request: IORequest) -> Int64

  @_lifetime(borrow self)
  borrowing func bytes(at slabByteOffset: Int, count byteCount: Int) -> RawSpan

  /// Copies bytes from elsewhere in memory into the slab.
  mutating func store(_ bytes: RawSpan, at slabByteOffset: Int)
}

/// The open files that a request can refer to.
package enum IOFile: UInt8, CaseIterable, Sendable {
  case metadata
  case data
  /// The file that is written to, or compared with the source.
  case target
  /// The target, accessed through the page cache in order to handle its unaligned tail.
  case targetBuffered
  case journal
}

/// A read, write, or flush request.
package struct IORequest {
  /// The kind of operation that a request performs.
  package enum Operation: UInt8, Sendable {
    case read, write
    /// Makes durable all writes to the file that completed before the flush was issued.
    case flush
  }

  package var operation: Operation
  package var file: IOFile
  package var byteOffset: UInt64
  package var slabByteOffset: Int
  package var byteCount: Int
  /// The caller's tag, returned with the completion.
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

/// The result of a completed request.
package struct IOCompletion: BitwiseCopyable {
  package var tag: UInt64
  /// The number of bytes transferred, or a negative errno.
  package var result: Int64

  package init(tag: UInt64, result: Int64) {
    self.tag = tag
    self.result = result
  }
}

/// The completions from one `reap`, stored in preallocated memory so that reaping allocates
/// nothing.
package struct CompletionBatch: ~Copyable {
  package static let capacity = 64
  private var completions = FixedArray<IOCompletion>(capacity: capacity)

  package init() {}

  package var count: Int { completions.count }

  package subscript(index: Int) -> IOCompletion { completions.span[index] }

  package mutating func removeAll() { completions.removeAll() }

  /// Adds a completion to the batch.
  ///
  /// - Precondition: The batch contains fewer than `capacity` completions.
  package mutating func append(_ completion: IOCompletion) { completions.append(completion) }
}
