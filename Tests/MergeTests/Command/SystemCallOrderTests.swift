import Fixtures
import Foundation
@testable import MergeEngine
import Testing

/// Tests of ordering that only traced system calls reveal: each step is durable before the next.
@Suite("Command: the order of system calls", .waitsForPrograms, .needsTracing)
struct SystemCallOrderTests {
  @Test("a new journal and its name are durable before the first write to the origin")
  func newJournal() throws {
    let merge = try Self.mergeWithTail()
    let traced = try Traced(merge, Self.inManySteps)
    let header = try #require(traced.trace.requests.first { traced.isOfJournal($0.path) })
    let named = try #require(traced.trace.namings.first { $0.name == merge.journal })

    let synced = traced.flush(of: header.path, after: header.end, before: named.begin)
    #expect(synced != nil, "the header is not durable when it gets its name")
    let record = try #require(traced.journalWrites.first { $0.begin > named.end })
    let folder = traced.flush(of: merge.folder.path, after: named.end, before: record.begin)
    #expect(folder != nil, "the name is not durable when the run begins")
    let begun = traced.flush(
      of: record.path, after: record.end, before: try traced.firstOriginWrite().begin)
    #expect(begun != nil, "that a run began is not durable when it writes")
  }

  @Test("a checkpoint's data is durable before its append starts, and each append before the next")
  func checkpoints() throws {
    let merge = try Self.mergeWithTail()
    let traced = try Traced(merge, Self.inManySteps)
    let checkpointCount = try traced.expectCheckpointsToBeTrue()
    #expect(checkpointCount > 3, "too few to show anything")
  }

  @Test("a resume flushes the previous run's journal and data before relying on them")
  func resumed() throws {
    let merge = try Self.mergeWithTail()
    try merge.interruptMerge()
    let traced = try Traced(merge, Self.inManySteps)
    let record = try #require(traced.journalWrites.first)
    let found = traced.flush(of: record.path, after: -1, before: record.begin)
    #expect(found != nil, "the journal may be in the page cache only")
    let believed = traced.flush(of: merge.origin, after: -1, before: record.begin)
    #expect(believed != nil, "the origin of the earlier run may be in the page cache only")
    let begun = traced.flush(
      of: record.path, after: record.end, before: try traced.firstOriginWrite().begin)
    #expect(begun != nil, "that a run began is not durable when it writes")
    _ = try traced.expectCheckpointsToBeTrue()
  }

  @Test("the rename that sets a journal aside is durable before the origin is written to")
  func putAside() throws {
    let merge = try Self.mergeWithTail()
    try merge.interruptMerge()
    let traced = try Traced(merge, Self.inManySteps + ["--restart"])
    let aside = try #require(traced.trace.namings.first { $0.name == merge.journal + ".old" })
    let folder = traced.flush(
      of: merge.folder.path, after: aside.end, before: try traced.firstOriginWrite().begin)
    #expect(folder != nil)
    let givenUp = try #require(
      traced.trace.requests.last {
        $0.operation == .write && $0.path == merge.journal && ($0.end ?? .max) < aside.begin
      })
    let durable = traced.flush(of: merge.journal, after: givenUp.end, before: aside.begin)
    #expect(durable != nil, "that its merge is given up is not durable when it gets the name")
  }

  @Test("plan, merge and verify never open metadata or data for writing")
  func sourceIsRead() throws {
    let merge = try Self.mergeWithTail()
    let source = merge.sourceArguments + ["--origin", merge.origin]
    for arguments in [["plan"] + source, merge.mergeArguments(), ["verify"] + source] {
      let (result, trace) = try SystemCallTrace.ofCommand(arguments, in: merge.folder)
      expectSuccess(result)
      for file in [merge.metadataFile, merge.dataFile] {
        let openings = trace.openings.filter { $0.path == file }
        #expect(!openings.isEmpty, "\(arguments)")
        #expect(openings.allSatisfy { $0.flags.contains("O_RDONLY") }, "\(openings)")
        #expect(!trace.requests.contains { $0.path == file && $0.operation != .read })
      }
    }
  }

  /// Options that make a merge use small requests and many checkpoints.
  private static let inManySteps = [
    "--io-size", "16k", "--queue-depth", "4", "--checkpoint-interval", "0.01",
    "--rate-limit", "16M",
  ]

  /// Returns a case whose last mapped block is cut at an unaligned byte, where only a buffered
  /// write can end.
  private static func mergeWithTail() throws -> MergeCase {
    let builder = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 40))])
    return try MergeCase(pool: builder.build(), originByteCount: 117 * 65_536 + 40_001)
  }
}

/// The trace of a merge that ran under a system call tracer.
private struct Traced {
  let trace: SystemCallTrace
  private let merge: MergeCase

  init(_ merge: MergeCase, _ options: [String]) throws {
    let (result, trace) = try SystemCallTrace.ofCommand(
      merge.mergeArguments(options), in: merge.folder)
    expectSuccess(result)
    #expect(try merge.wrongSectors() == [])
    self.merge = merge
    self.trace = trace
  }

  /// Returns true for the journal's path, and for the temporary name under which this run created
  /// the journal.
  func isOfJournal(_ path: String) -> Bool {
    path == merge.journal || path.contains(".origin.img.thin-merge.")
  }

  var journalWrites: [SystemCallTrace.Request] {
    trace.requests.filter { $0.operation == .write && isOfJournal($0.path) && $0.byteOffset != nil }
  }

  var originWrites: [SystemCallTrace.Request] {
    trace.requests.filter { $0.operation == .write && $0.path == merge.origin }
  }

  func firstOriginWrite() throws -> SystemCallTrace.Request { try #require(originWrites.first) }

  /// Returns a flush that began after one position in the trace and succeeded before another.
  func flush(
    of path: String, after begin: Int?, before end: Int
  ) -> SystemCallTrace.Request? {
    guard let begin else { return nil }
    return trace.requests.first {
      $0.operation == .flush && $0.path == path && $0.hasSucceeded && $0.begin > begin
        && ($0.end ?? .max) < end
    }
  }

  /// Expects each append to begin only after the data that its records cover, and the previous
  /// append, were durable.
  ///
  /// - Returns: The number of checkpoints.
  func expectCheckpointsToBeTrue() throws -> Int {
    let file = try OpenFile(merge.journal, role: "journal", access: .readOnly, direct: false)
    var reader = try JournalReader(
      path: merge.journal, byteCount: file.byteCount,
      io: LinuxAIO(
        requestCount: 0, slabByteCount: JournalReader<LinuxAIO>.slabByteCount,
        files: [.journal: file], clock: ThisSystem.clock))
    var before: SystemCallTrace.Request?
    var count = 0
    for append in journalWrites {
      if let before {
        let synced = flush(of: append.path, after: before.end, before: append.begin)
        #expect(synced != nil, "the append at line \(before.begin) is not durable at the next")
      }
      before = append
      let end = append.range.upperBound
      var byteOffset = append.range.lowerBound
      while byteOffset < end,
        case .record(let record, _, let next) = try reader.record(at: byteOffset)
      {
        byteOffset = next
        switch record {
        case .checkpoint(let checkpoint):
          count += 1
          for entry in checkpoint.entries {
            #expect(isDurable(entry.range, at: append.begin), "\(entry) at line \(append.begin)")
          }
        case .finished:
          for write in originWrites {
            #expect(
              flush(of: write.path, after: write.end, before: append.begin) != nil, "\(write)")
          }
        default: continue
        }
      }
    }
    return count
  }

  /// Returns true if all bytes of a range were written and then flushed before the given position
  /// in the trace.
  private func isDurable(_ range: ByteRange, at place: Int) -> Bool {
    var missing = RangeSet()
    missing.insert(range)
    for write in originWrites
    where flush(of: write.path, after: write.end, before: place) != nil {
      missing.remove(ByteRange(start: write.range.lowerBound, end: write.range.upperBound))
    }
    return missing.isEmpty
  }
}

/// Tests of errors that the system may return at any time, injected by the tracer.
@Suite("Command: injected system call errors", .waitsForPrograms, .needsTracing)
struct InjectedSystemCallTests {
  @Test(
    "a system call that is interrupted, or temporarily accepts nothing, is retried",
    arguments: [
      "io_submit:error=EAGAIN:when=1+2", "io_submit:error=EINTR:when=1+3",
      "io_getevents:error=EINTR:when=1+2", "pwrite64:error=EINTR:when=1+2",
      "fdatasync:error=EINTR:when=1",
    ])
  func again(injection: String) throws {
    let merge = try MergeCase(scatteredBlocks: 12)
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(["--io-size", "16k", "--queue-depth", "4"]),
      under: ["strace", "-f", "-o", "/dev/null", "-e", "inject=\(injection)"])
    expectSuccess(result)
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a merge is refused with nothing written if the kernel never accepts its I/O requests")
  func neverTaken() throws {
    let merge = try MergeCase(scatteredBlocks: 12)
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(),
      under: ["strace", "-f", "-o", "/dev/null", "-e", "inject=io_submit:error=EAGAIN"])
    #expect(result.exitStatus == 2, "\(result)")
    #expect(result.standardError.contains("Resource temporarily unavailable"), "\(result)")
    #expect(try merge.changedSectors() == [])
  }

  @Test("a failed journal flush stops the merge, which can then be resumed")
  func journalNotDurable() throws {
    let merge = try MergeCase(scatteredBlocks: 12)
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(),
      under: ["strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1"])
    expectError(result, exitStatus: 3, naming: merge.journal)
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }
}
