import Foundation
import MergeEngine
import Testing

/// A temporary file for the queue under test, which opens it both read-write and read-only.
private final class LinuxAIOBench {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("blocks")
    try Data(count: BlockIOConformance.fileByteCount).write(to: URL(filePath: path))
  }

  /// Returns a queue with room for `requestCount` requests on the file, with direct or buffered
  /// I/O.
  func queue(requestCount: Int, direct: Bool) throws -> LinuxAIO {
    try LinuxAIO(
      requestCount: requestCount,
      slabByteCount: max(8, requestCount) * BlockIOConformance.blockByteCount,
      files: [
        .data: OpenFile(path, role: "test file", access: .readWrite, direct: direct),
        .metadata: OpenFile(path, role: "test file", access: .readOnly, direct: direct),
      ],
      clock: ThisSystem.clock)
  }
}

@Suite("Block I/O: Linux AIO follows the rules for all I/O queues", .waitsForPrograms)
struct LinuxAIOConformanceTests {
  @Test("reads and writes access the requested offsets", arguments: [1, 7, 64], [true, false])
  func readsAndWritesLand(requestCount: Int, direct: Bool) throws {
    let seed = Seed.current
    var generator = seed.generator
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: requestCount, direct: direct)
    try BlockIOConformance.readsAndWritesLand(&io, using: &generator)
  }

  @Test("each completion carries the tag of its request", arguments: [1, 3, 16])
  func tagsComeBack(requestCount: Int) throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: requestCount, direct: true)
    try BlockIOConformance.tagsComeBack(&io)
  }

  @Test("an enqueued request does not start until the next call of submit")
  func enqueuedIsNotSubmitted() throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: 4, direct: true)
    try BlockIOConformance.enqueuedIsNotSubmitted(&io)
  }

  @Test(
    "the maximum number of requests can be in flight, and all of them complete",
    arguments: [1, 63, 64, 65, 200])
  func manyAtOnce(requestCount: Int) throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: requestCount, direct: true)
    #expect(io.requestCountMax == requestCount)
    try BlockIOConformance.manyAtOnce(&io)
  }

  @Test("a flush completes, both by itself and among other requests", arguments: [true, false])
  func flushCompletes(direct: Bool) throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: 4, direct: direct)
    try BlockIOConformance.flushCompletes(&io)
  }

  @Test(
    "a read across the end of the file is short, and a read past the end is empty",
    arguments: [true, false])
  func endOfFile(direct: Bool) throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: 4, direct: direct)
    try BlockIOConformance.endOfFile(&io)
  }

  @Test("a failed request completes with a negative errno as its result", arguments: [true, false])
  func errorsAreResults(direct: Bool) throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: 4, direct: direct)
    try BlockIOConformance.errorsAreResults(&io, writing: .metadata, errno: Int64(EBADF))
  }

  @Test("a reap ends when its timeout expires, or immediately if no request is in flight")
  func reapingEnds() throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: 8, direct: true)
    try BlockIOConformance.reapingEnds(&io)
  }

  @Test("the perform method completes a request without any other call", arguments: [0, 2])
  func performing(requestCount: Int) throws {
    let bench = try LinuxAIOBench()
    var io = try bench.queue(requestCount: requestCount, direct: true)
    try BlockIOConformance.performing(&io)
  }
}
