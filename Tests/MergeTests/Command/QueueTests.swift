import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite(
  "Command: the kernel's request queue", .waitsForPrograms, .needsTracing)
struct QueueTests {
  @Test("buffers are unmapped only after the I/O queue that may still be filling them is destroyed")
  func destroyedBeforeItsBuffers() throws {
    var builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 400))])
    builder.leafEntryCount = 1
    builder.dataBlockCount = 512
    var pool = builder.build()
    pool.editNode(at: pool.held.mapping(of: 0).leaves[5]) { $0.flags = 0 }
    let merge = try MergeCase(pool: pool, originByteCount: 65_536)
    let trace = merge.folder.path("trace")
    // The plan fails at a leaf of the first node while leaves of the second are still being read.
    // The tracer delays the destruction of a queue, so an unmapping that fails to wait for it
    // happens first.
    let result = try ThinMergeCommand.run(
      ["plan"] + merge.sourceArguments,
      under: [
        "strace", "-f", "-qq", "-o", trace, "-e", "trace=io_setup,io_destroy,munmap", "-e",
        "inject=io_destroy:delay_enter=300000",
      ])
    #expect(result.exitStatus == 2, "\(result.standardError)")
    let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    let queues = calls.filter { $0.contains("io_setup(") }
    let unmapped = calls.indices.filter { place in
      guard let (_, count) = calls[place].firstMatch(of: #/munmap\(0x[0-9a-f]+, (\d+)\)/#)?.output
      else { return false }
      return Int(count) == TreeWalker.slabByteCount + (2 << 20)
    }
    let destroyed = calls.indices.filter {
      calls[$0].contains(#/io_destroy(\(.*\)| resumed>.*\)) += 0/#)
    }
    #expect(queues.count == 1 && unmapped.count == 1 && destroyed.count == 1, "\(calls)")
    #expect(destroyed.first ?? .max < unmapped.first ?? 0, "\(calls)")
  }

  @Test(
    "if io_getevents fails, every verb ends with the system error and a hint about seccomp",
    arguments: [["plan"], ["merge"], ["verify"], ["devices"]])
  func completionsThatCannotBeHad(verb: [String]) throws {
    let merge = try MergeCase()
    let source =
      verb == ["devices"] ? ["--metadata", merge.metadata] : merge.sourceArguments
    let origin = verb == ["devices"] ? [] : ["--origin", merge.origin]
    let result = try ThinMergeCommand.run(
      verb + source + origin, under: SystemCallTrace.withoutCompletions(from: 1))
    #expect(result.exitStatus == 2)
    #expect(result.standardError.contains("Operation not permitted"), "\(result.standardError)")
    #expect(result.standardError.contains("seccomp"), "\(result.standardError)")
    #expect(try content(of: merge.originFile) == merge.before)
  }
}
