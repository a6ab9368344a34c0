import Fixtures
import Foundation
import Testing

@Suite("Command: partly unreadable sources", .waitsForPrograms)
struct UnreadableSourceTests {
  /// The number of blocks cut from the end of the data file while the merge runs.
  static let lostBlockCount = 5

  @Test("a merge stops with status 3 if its data file is cut short while it runs")
  func exitStatus() throws {
    let (_, result) = try mergeWhileDataIsCut()
    #expect(result.exitStatus == 3, "\(result.standardError)")
    #expect(try result.report()["state"] == .string("stopped"))
  }

  @Test("a merge whose data file is cut short while it runs still merges every readable block")
  func restIsMerged() throws {
    let (merge, _) = try mergeWhileDataIsCut()
    let lost = Set(lostRanges(merge).map(\.lowerBound))
    let wrong = try merge.wrongSectors(limit: .max)
    #expect(Set(wrong.map { $0 / merge.blockByteCount * merge.blockByteCount }) == lost)
    #expect(wrong.count == lost.count * merge.blockByteCount / SectorContent.sectorByteCount)
  }

  @Test("the report of a stopped merge lists the unreadable ranges")
  func rangesNamed() throws {
    let (merge, result) = try mergeWhileDataIsCut()
    let named = try #require(try result.report()["unreadable"]?.array)
    #expect(try joined(named) == lostRanges(merge))
  }

  @Test("a merge can be resumed and completes correctly after its data file is restored")
  func resume() throws {
    let (merge, _) = try mergeWhileDataIsCut()
    try merge.putDataBack()
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a resume reads only the ranges that were unreadable before")
  func resumeReadsTheRest() throws {
    let (merge, _) = try mergeWhileDataIsCut()
    try merge.putDataBack()
    let result = try merge.resume(["--output", "json"])
    let lostByteCount = Self.lostBlockCount * merge.blockByteCount
    #expect(try result.report()["bytes_written"]?.integer == lostByteCount)
  }

  @Test("resuming is refused while the data file is still too short")
  func resumeTooEarly() throws {
    let (merge, _) = try mergeWhileDataIsCut()
    let origin = try content(of: merge.originFile)
    let journal = try content(of: merge.journal)
    expectError(try merge.resume(), exitStatus: 2, naming: merge.dataFile)
    #expect(try content(of: merge.originFile) == origin)
    #expect(try content(of: merge.journal) == journal)
  }

  private func mergeWhileDataIsCut() throws -> (MergeCase, CommandResult) {
    let merge = try MergeCase()
    let running = try merge.startMerge(MergeCase.slowly + ["--output", "json"])
    try #require(try running.waitUntilCheckpoint(1, in: merge.journal))
    let kept = merge.mappings.count - Self.lostBlockCount
    try Program.mustRun("truncate", "--size", "\(kept * merge.blockByteCount)", merge.dataFile)
    return (merge, try running.wait())
  }

  private func lostRanges(_ merge: MergeCase) -> [Range<Int>] {
    merge.mappings.suffix(Self.lostBlockCount).map { mapping in
      let start = Int(mapping.thinBlock) * merge.blockByteCount
      return start..<(start + merge.blockByteCount)
    }
  }

  /// Returns the reported ranges, with adjacent ranges merged into one.
  private func joined(_ reported: [JSONValue]) throws -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for range in reported {
      let start = try #require(range["offset"]?.integer)
      let end = start + (try #require(range["length"]?.integer))
      if let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<end
      } else {
        ranges.append(start..<end)
      }
    }
    return ranges
  }
}

@Suite("Command: unwritable origins", .waitsForPrograms)
struct UnwritableOriginTests {
  @Test(
    "if a stopped merge cannot print its report either, both error lines give status 3"
  )
  func reportOfStoppedMergeLost() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try merge.merge(
      ["--io-size", "64k", "--queue-depth", "1", "--output", "json"],
      under: ["sh", "-c", "exec prlimit --fsize=1048576 \"$@\" > /dev/full", "sh"])
    #expect(result.exitStatus == 3, "\(result.standardError)")
    let errors = result.standardError.split(separator: "\n").filter {
      $0.contains(#""type":"error""#)
    }
    #expect(errors.count == 2, "\(result.standardError)")
    for line in errors { #expect(line.contains(#""exit_status":3,"#), "\(line)") }
  }

  @Test("a file size limit stops a merge with status 3")
  func fileSizeLimit() throws {
    let merge = try MergeCase()
    let result = try mergeUnderLimit(merge)
    expectError(result, exitStatus: 3, naming: merge.originFile)
  }

  @Test("a merge stopped by a file size limit completes correctly when resumed without the limit")
  func resumeWithoutLimit() throws {
    let merge = try MergeCase()
    _ = try mergeUnderLimit(merge)
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("all bytes that the journal records under a file size limit are on the origin")
  func recordedUnderLimit() throws {
    let merge = try MergeCase()
    _ = try mergeUnderLimit(merge)
    let recorded = try #require(try merge.status()["done_bytes"]?.integer)
    #expect(try merge.writtenByteCount() >= recorded)
  }

  @Test(
    "a merge that grows an origin on a full file system succeeds once there is room", .needsTmpfs)
  func fullFileSystem() throws {
    let place = try TemporaryFolder(onTmpfsOf: 2 << 20)
    let merge = try MergeCase()
    let grown = try merge.expectedOrigin()
    merge.origin = place.path("origin.img")
    try merge.before.prefix(1 << 20).write(to: URL(filePath: merge.origin))
    let options = [
      "--past-end", "grow", "--thin-size", "\(merge.before.count)",
      "--journal", merge.folder.path("journal"),
    ]
    let stopped = try merge.merge(options)
    // If the file system can preallocate space, the merge is refused (2); otherwise, a write that
    // finds no space stops it (3).
    #expect([2, 3].contains(stopped.exitStatus), "\(stopped.standardError)")
    try place.resize(to: 64 << 20)
    expectSuccess(try merge.merge(options))
    #expect(try differingSectors(content(of: merge.origin), mergedOverHoles(merge, grown)) == [])
  }

  /// Returns the expected grown origin: `grown`, but with zeros wherever no block is mapped past
  /// the old end.
  private func mergedOverHoles(_ merge: MergeCase, _ grown: Data) -> Data {
    var expected = grown
    let mapped = Set(merge.mappings.map { Int($0.thinBlock) })
    for block in (1 << 20) / merge.blockByteCount..<merge.before.count / merge.blockByteCount
    where !mapped.contains(block) {
      let start = block * merge.blockByteCount
      expected.replaceSubrange(
        start..<(start + merge.blockByteCount), with: Data(count: merge.blockByteCount))
    }
    return expected
  }

  private func mergeUnderLimit(_ merge: MergeCase) throws -> CommandResult {
    try merge.merge(["--io-size", "64k"], under: ["prlimit", "--fsize=\(4 << 20)"])
  }
}

extension MergeCase {
  /// Restores the data file's content without changing its inode.
  fileprivate func putDataBack() throws { try overwrite(dataFile, with: dataBefore) }
}
