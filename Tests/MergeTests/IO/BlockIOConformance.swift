import MergeEngine
import Testing

/// Checks of the rules that every ``BlockIO`` must follow.
///
/// - Precondition: No request is in flight, `.data` is a file of `fileByteCount` bytes that is open
///   for reading and writing, and the slab has room for `requestCountMax` blocks.
enum BlockIOConformance {
  static let blockByteCount = 4096
  static let blockCount = 64
  static let fileByteCount = blockCount * blockByteCount
  /// The number of consecutive empty reaps after which the requests in flight are considered lost.
  private static let emptyReapCountMax = 400

  /// The results of completed requests, by tag.
  typealias Results = [UInt64: Int64]

  /// Reaps until at least one request has completed.
  static func reapOne<IO: BlockIO & ~Copyable>(
    _ io: inout IO, into batch: inout CompletionBatch
  ) throws {
    for _ in 0..<emptyReapCountMax {
      try io.reap(atLeast: 1, timeout: .milliseconds(50), into: &batch)
      if batch.count > 0 { return }
    }
    throw SupportError("nothing completed in \(emptyReapCountMax) attempts")
  }

  /// Waits until no requests are enqueued or in flight, and fails if many reaps in a row complete
  /// none.
  static func drain<IO: BlockIO & ~Copyable>(_ io: inout IO) throws -> Results {
    var results: Results = [:]
    var batch = CompletionBatch()
    while io.requestCount > 0 {
      io.submit()
      let before = io.requestCount
      try reapOne(&io, into: &batch)
      #expect(io.requestCount == before - batch.count)
      for index in 0..<batch.count {
        #expect(results[batch[index].tag] == nil, "tag \(batch[index].tag) came twice")
        results[batch[index].tag] = batch[index].result
      }
    }
    return results
  }

  /// Returns the content that write number `version` stores in a block.
  static func content(of block: Int, version: UInt8 = 0) -> [UInt8] {
    (0..<blockByteCount).map { UInt8(truncatingIfNeeded: $0 &+ block &* 31) ^ version }
  }

  static func slabBytes<IO: BlockIO & ~Copyable>(
    _ io: borrowing IO, at slabByteOffset: Int, count: Int = blockByteCount
  ) -> [UInt8] {
    io.bytes(at: slabByteOffset, count: count).copiedBytes(at: 0, count: count)
  }

  static func store<IO: BlockIO & ~Copyable>(
    _ bytes: [UInt8], _ io: inout IO, at slabByteOffset: Int
  ) {
    io.store(RawSpan(_elements: bytes.span), at: slabByteOffset)
  }

  // MARK: The rules

  /// Checks that writes and reads use the requested offsets, even if several are in flight in
  /// random order.
  static func readsAndWritesLand<IO: BlockIO & ~Copyable>(
    _ io: inout IO, using generator: inout some RandomNumberGenerator
  ) throws {
    var version: [UInt8] = Array(repeating: 0, count: blockCount)
    for round in 1...4 as ClosedRange<UInt8> {
      let blocks = (0..<blockCount).shuffled(using: &generator).prefix(io.requestCountMax)
      for (slot, block) in blocks.enumerated() {
        store(content(of: block, version: round), &io, at: slot * blockByteCount)
        version[block] = round
        io.enqueue(
          IORequest(
            .write, .data, byteOffset: UInt64(block * blockByteCount),
            slabByteOffset: slot * blockByteCount, byteCount: blockByteCount, tag: UInt64(block)))
      }
      let written = try drain(&io)
      #expect(written == Results(uniqueKeysWithValues: blocks.map { (UInt64($0), 4096) }))
    }
    var rest = Array(0..<blockCount).shuffled(using: &generator)[...]
    while !rest.isEmpty {
      let blocks = Array(rest.prefix(io.requestCountMax))
      rest = rest.dropFirst(blocks.count)
      for (slot, block) in blocks.enumerated() {
        io.enqueue(
          IORequest(
            .read, .data, byteOffset: UInt64(block * blockByteCount),
            slabByteOffset: slot * blockByteCount, byteCount: blockByteCount, tag: UInt64(block)))
      }
      let read = try drain(&io)
      #expect(read == Results(uniqueKeysWithValues: blocks.map { (UInt64($0), 4096) }))
      for (slot, block) in blocks.enumerated() where version[block] > 0 {
        #expect(
          slabBytes(io, at: slot * blockByteCount)
            == content(of: block, version: version[block]), "block \(block)")
      }
    }
  }

  /// Checks that a completion carries the tag of its request, whatever the tag.
  static func tagsComeBack<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    let tags: [UInt64] = [0, 1, .max, 1 << 63, 0xDEAD_BEEF, 42]
    for (slot, tag) in tags.prefix(io.requestCountMax).enumerated() {
      // Each request has a different byte count, so that their results cannot be mixed up.
      io.enqueue(
        IORequest(
          .read, .data, slabByteOffset: slot * blockByteCount, byteCount: 512 * (slot + 1),
          tag: tag))
    }
    let results = try drain(&io)
    for (slot, tag) in tags.prefix(io.requestCountMax).enumerated() {
      #expect(results[tag] == Int64(512 * (slot + 1)), "tag \(tag)")
    }
    #expect(results.count == min(tags.count, io.requestCountMax))
  }

  /// Checks that an enqueued request does not start until the next call of `submit`.
  static func enqueuedIsNotSubmitted<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    try #require(io.requestCountMax >= 2)
    var batch = CompletionBatch()
    io.enqueue(IORequest(.read, .data, byteCount: blockByteCount, tag: 1))
    try io.reap(atLeast: 0, timeout: .zero, into: &batch)
    #expect(batch.count == 0 && io.requestCount == 1)
    io.submit()
    io.enqueue(
      IORequest(
        .read, .data, slabByteOffset: blockByteCount, byteCount: blockByteCount, tag: 2))
    #expect(io.requestCount == 2)
    try reapOne(&io, into: &batch)
    try #require(batch.count == 1)
    #expect(batch[0].tag == 1 && io.requestCount == 1)
    #expect(try drain(&io) == [2: Int64(blockByteCount)])
  }

  /// Checks that the maximum number of requests completes, even if a completion batch has less
  /// room.
  static func manyAtOnce<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    for round in 0..<3 as Range<UInt64> {
      let first = round * 1000
      for slot in 0..<io.requestCountMax {
        io.enqueue(
          IORequest(
            .read, .data, byteOffset: UInt64(slot % blockCount * blockByteCount),
            slabByteOffset: slot * blockByteCount, byteCount: blockByteCount,
            tag: first + UInt64(slot)))
        // In one round, submits requests in groups of three. Otherwise they are all submitted at
        // the end.
        if round == 1, slot % 3 == 0 { io.submit() }
      }
      #expect(io.requestCount == io.requestCountMax)
      let results = try drain(&io)
      #expect(Set(results.keys) == Set((0..<UInt64(io.requestCountMax)).map { first + $0 }))
      #expect(results.values.allSatisfy { $0 == Int64(blockByteCount) })
    }
  }

  /// Checks that a flush completes, both by itself and among other requests.
  static func flushCompletes<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    try #require(io.requestCountMax >= 3)
    io.enqueue(IORequest(.flush, .data, tag: 1))
    #expect(try drain(&io) == [1: 0])
    store(content(of: 1, version: 7), &io, at: 0)
    io.enqueue(
      IORequest(
        .write, .data, byteOffset: UInt64(blockByteCount), byteCount: blockByteCount, tag: 2))
    io.enqueue(IORequest(.flush, .data, tag: 3))
    io.enqueue(
      IORequest(
        .read, .data, slabByteOffset: blockByteCount, byteCount: blockByteCount, tag: 4))
    #expect(try drain(&io) == [2: Int64(blockByteCount), 3: 0, 4: Int64(blockByteCount)])
    #expect(io.perform(IORequest(.flush, .data, tag: 5)) == 0)
  }

  /// Checks that a read across the end of the file is short, and a read past the end is empty,
  /// without errors.
  static func endOfFile<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    let across = IORequest(
      .read, .data, byteOffset: UInt64(fileByteCount - blockByteCount),
      byteCount: 2 * blockByteCount, tag: 1)
    let behind = IORequest(
      .read, .data, byteOffset: UInt64(fileByteCount), slabByteOffset: 2 * blockByteCount,
      byteCount: blockByteCount, tag: 2)
    io.enqueue(across)
    io.enqueue(behind)
    #expect(try drain(&io) == [1: Int64(blockByteCount), 2: 0])
    #expect(io.perform(across) == Int64(blockByteCount))
    #expect(io.perform(behind) == 0)
  }

  /// Checks that a failing request completes with a negative errno and its own tag, and does not
  /// affect other requests.
  static func errorsAreResults<IO: BlockIO & ~Copyable>(
    _ io: inout IO, writing target: IOFile, errno: Int64
  ) throws {
    let fails = IORequest(
      .write, target, slabByteOffset: 2 * blockByteCount, byteCount: blockByteCount, tag: 11)
    io.enqueue(IORequest(.read, .data, byteCount: blockByteCount, tag: 10))
    io.enqueue(fails)
    io.enqueue(
      IORequest(
        .read, .data, slabByteOffset: blockByteCount, byteCount: blockByteCount, tag: 12))
    #expect(
      try drain(&io) == [10: Int64(blockByteCount), 11: -errno, 12: Int64(blockByteCount)])
    #expect(io.perform(fails) == -errno)
    io.enqueue(IORequest(.read, .data, byteCount: blockByteCount, tag: 13))
    #expect(try drain(&io) == [13: Int64(blockByteCount)])
  }

  /// Checks that a reap ends when its timeout expires, or immediately if no request is in flight.
  static func reapingEnds<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    var batch = CompletionBatch()
    batch.append(IOCompletion(tag: 99, result: 0))
    try io.reap(atLeast: 1, timeout: nil, into: &batch)
    #expect(batch.count == 0, "nothing is in flight, and the batch is replaced")
    io.enqueue(IORequest(.read, .data, byteCount: blockByteCount, tag: 1))
    io.submit()
    // Asks for more completions than are possible, so the reap would never return without a
    // timeout.
    try io.reap(atLeast: 5, timeout: .milliseconds(50), into: &batch)
    let once = batch.count
    #expect(try once + drain(&io).count == 1)
  }

  /// Checks that `perform` completes a request immediately, without any other call.
  static func performing<IO: BlockIO & ~Copyable>(_ io: inout IO) throws {
    let bytes = content(of: 9, version: 3)
    store(bytes, &io, at: blockByteCount)
    let byteOffset = UInt64(9 * blockByteCount)
    #expect(
      io.perform(
        IORequest(
          .write, .data, byteOffset: byteOffset, slabByteOffset: blockByteCount,
          byteCount: blockByteCount, tag: 1)) == Int64(blockByteCount))
    #expect(
      io.perform(
        IORequest(.read, .data, byteOffset: byteOffset, byteCount: blockByteCount, tag: 2))
        == Int64(blockByteCount))
    #expect(slabBytes(io, at: 0) == bytes)
    #expect(io.requestCount == 0)
  }
}
