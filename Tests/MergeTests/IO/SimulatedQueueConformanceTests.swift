import Fixtures
import MergeEngine
import Testing

/// Creates queues on a simulated disk that enforces no rules and, by default, injects no faults.
private enum SimulatedBench {
  static func queue(requestCount: Int, faults: DiskFaults = DiskFaults()) throws -> SimulatedQueue {
    let blocks = SparseContent(byteCount: UInt64(BlockIOConformance.fileByteCount), base: .zeros)
    let disk = SimulatedDisk(
      seed: Seed.current.value, contents: [.data: blocks, .metadata: blocks])
    disk.rules = nil
    disk.faults = faults
    disk.faults.takesFewerOneIn = nil
    disk.faults.interruptedReapOneIn = nil
    return try SimulatedQueue(
      disk, requestCount: requestCount,
      slabByteCount: max(8, requestCount) * BlockIOConformance.blockByteCount)
  }
}

@Suite("Block I/O: the simulated queue follows the rules for all I/O queues")
struct SimulatedQueueConformanceTests {
  @Test("reads and writes access the requested offsets", arguments: [1, 7, 64])
  func readsAndWritesLand(requestCount: Int) throws {
    var generator = Seed.current.generator
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.readsAndWritesLand(&io, using: &generator)
  }

  @Test("each completion carries the tag of its request", arguments: [1, 3, 16])
  func tagsComeBack(requestCount: Int) throws {
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.tagsComeBack(&io)
  }

  @Test("an enqueued request does not start until the next call of submit")
  func enqueuedIsNotSubmitted() throws {
    var io = try SimulatedBench.queue(requestCount: 4)
    try BlockIOConformance.enqueuedIsNotSubmitted(&io)
  }

  @Test(
    "the maximum number of requests can be in flight, and all of them complete",
    arguments: [1, 63, 64, 65, 200])
  func manyAtOnce(requestCount: Int) throws {
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.manyAtOnce(&io)
  }

  @Test("a flush completes, both by itself and among other requests")
  func flushCompletes() throws {
    var io = try SimulatedBench.queue(requestCount: 4)
    try BlockIOConformance.flushCompletes(&io)
  }

  @Test("a read across the end of the file is short, and a read past the end is empty")
  func endOfFile() throws {
    var io = try SimulatedBench.queue(requestCount: 4)
    try BlockIOConformance.endOfFile(&io)
  }

  @Test("a failed request completes with a negative errno as its result")
  func errorsAreResults() throws {
    var faults = DiskFaults()
    faults.addBadRange(.write, .metadata, ByteRange(start: 0, end: .max))
    var io = try SimulatedBench.queue(requestCount: 4, faults: faults)
    try BlockIOConformance.errorsAreResults(
      &io, writing: .metadata, errno: -DiskFaults.inputOutputError)
  }

  @Test("a reap ends when its timeout expires, or immediately if no request is in flight")
  func reapingEnds() throws {
    var io = try SimulatedBench.queue(requestCount: 8)
    try BlockIOConformance.reapingEnds(&io)
  }

  @Test("the perform method completes a request without any other call", arguments: [1, 2])
  func performing(requestCount: Int) throws {
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.performing(&io)
  }
}
