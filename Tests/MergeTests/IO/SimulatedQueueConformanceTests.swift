import Fixtures
import MergeEngine
import Testing

/// A simulated disk without rules, and without faults by default.
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

@Suite("The seam: the simulated queue follows the rules for every queue")
struct SimulatedQueueConformanceTests {
  @Test("reads and writes use the requested offsets", arguments: [1, 7, 64])
  func readsAndWritesLand(requestCount: Int) throws {
    var generator = Seed.current.generator
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.readsAndWritesLand(&io, using: &generator)
  }

  @Test("completions carry their requests' tags", arguments: [1, 3, 16])
  func tagsComeBack(requestCount: Int) throws {
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.tagsComeBack(&io)
  }

  @Test("an enqueued request waits for the next submit")
  func enqueuedIsNotSubmitted() throws {
    var io = try SimulatedBench.queue(requestCount: 4)
    try BlockIOConformance.enqueuedIsNotSubmitted(&io)
  }

  @Test("the maximum number of requests completes", arguments: [1, 63, 64, 65, 200])
  func manyAtOnce(requestCount: Int) throws {
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.manyAtOnce(&io)
  }

  @Test("a flush completes, alone and among other requests")
  func flushCompletes() throws {
    var io = try SimulatedBench.queue(requestCount: 4)
    try BlockIOConformance.flushCompletes(&io)
  }

  @Test("a read past the end is short or empty")
  func endOfFile() throws {
    var io = try SimulatedBench.queue(requestCount: 4)
    try BlockIOConformance.endOfFile(&io)
  }

  @Test("a failed request completes with a negative errno")
  func errorsAreResults() throws {
    var faults = DiskFaults()
    faults.addBadRange(.write, .metadata, ByteRange(start: 0, end: .max))
    var io = try SimulatedBench.queue(requestCount: 4, faults: faults)
    try BlockIOConformance.errorsAreResults(
      &io, writing: .metadata, errno: -DiskFaults.inputOutputError)
  }

  @Test("reaping ends at its timeout, and at once if nothing is in flight")
  func reapingEnds() throws {
    var io = try SimulatedBench.queue(requestCount: 8)
    try BlockIOConformance.reapingEnds(&io)
  }

  @Test("perform completes one request without any other call", arguments: [1, 2])
  func performing(requestCount: Int) throws {
    var io = try SimulatedBench.queue(requestCount: requestCount)
    try BlockIOConformance.performing(&io)
  }
}
