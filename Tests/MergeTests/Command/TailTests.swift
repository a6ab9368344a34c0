import Fixtures
import Foundation
import Testing

/// A merge in which the last mapped block is only partly covered by the origin or the thin device.
struct Tail: Sendable, CustomTestStringConvertible {
  /// The number of bytes of the last mapped block that fit on the origin.
  var originByteCount: Int
  /// The number of bytes of the last mapped block that are inside the thin device; nil if its size
  /// is not given.
  var thinByteCount: Int?

  var testDescription: String {
    "origin \(originByteCount), thin \(thinByteCount.map(String.init) ?? "not told")"
  }
}

@Suite("Command: origins and thin devices of unaligned size", .waitsForPrograms)
struct TailTests {
  static let blockByteCount = 65_536
  /// Mappings with enough blocks before the tail that many requests are in flight when it is
  /// reached.
  static let mappings: [ThinMapping] =
    .everyThird(count: 20) + .consecutive(count: 40, startingAt: 64, dataBlock: 100)
  static let lastBlockStart = 103 * blockByteCount

  static let originTails = [1, 511, 512, 513, 4095, 4096, 4097, 10_000, 61_440, 65_535]

  @Test(
    "an origin whose size is not block-aligned is merged to its last byte", arguments: originTails)
  func oddOrigin(tail: Int) throws {
    let merge = try merge(originTail: tail)
    expectSuccess(try merge.merge(["--io-size", "4k", "--verify"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "bytes past the end of the thin device stay unchanged",
    arguments: [1, 511, 512, 513, 4095, 4097, 10_001, 65_535])
  func oddThinDevice(tail: Int) throws {
    let merge = try merge(originTail: Self.blockByteCount)
    let thinByteCount = Self.lastBlockStart + tail
    expectSuccess(try merge.merge(["--io-size", "4k", "--thin-size", "\(thinByteCount)"]))
    #expect(try merge.wrongSectors(thinByteCount: thinByteCount) == [])
  }

  @Test(
    "a merge of an unaligned thin device onto an unaligned origin ends at the shorter one's end",
    arguments: [
      Tail(originByteCount: 5000, thinByteCount: 4999),
      Tail(originByteCount: 4097, thinByteCount: 4096),
      Tail(originByteCount: 513, thinByteCount: 1),
      Tail(originByteCount: 4999, thinByteCount: 4999),
    ])
  func oddBoth(tail: Tail) throws {
    let merge = try merge(originTail: tail.originByteCount)
    let thinByteCount = Self.lastBlockStart + (tail.thinByteCount ?? tail.originByteCount)
    expectSuccess(try merge.merge(["--thin-size", "\(thinByteCount)"]))
    #expect(try merge.wrongSectors(thinByteCount: thinByteCount) == [])
  }

  @Test(
    "an unaligned tail is merged correctly with any transfer size", arguments: ["4k", "64k", "1M"])
  func transferSizes(ioSize: String) throws {
    let merge = try merge(originTail: 5001)
    expectSuccess(try merge.merge(["--io-size", ioSize, "--queue-depth", "64"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a merge interrupted before its unaligned tail completes correctly")
  func interrupted() throws {
    let merge = try merge(originTail: 5001)
    try merge.interruptMerge()
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a thin device of unaligned size is merged onto a block device to its last byte",
    .needsLoopDevices,
    arguments: [512, 4096], [1, 512, 513, 4095, 4096, 4097, 10_001])
  func onDevice(sectorByteCount: Int, tail: Int) throws {
    let merge = try merge(originTail: Self.blockByteCount)
    let device = try LoopDevice(backing: merge.originFile, sectorByteCount: sectorByteCount)
    merge.origin = device.path
    let thinByteCount = Self.lastBlockStart + tail
    expectSuccess(
      try merge.mergeOntoDevice(["--io-size", "4k", "--thin-size", "\(thinByteCount)"]))
    let expected = try merge.expectedOrigin(thinByteCount: thinByteCount)
    #expect(try differingSectors(content(of: device.path), expected) == [])
  }

  @Test(
    "the data device and the origin may have different sector sizes", .needsLoopDevices,
    arguments: [512, 4096])
  func differentSectors(dataSectorByteCount: Int) throws {
    let merge = try merge(originTail: 8192)
    let origin = try LoopDevice(
      backing: merge.originFile, sectorByteCount: dataSectorByteCount == 512 ? 4096 : 512)
    let data = try LoopDevice(
      backing: merge.dataFile, sectorByteCount: dataSectorByteCount, readOnly: true)
    merge.origin = origin.path
    merge.data = data.path
    expectSuccess(try merge.mergeOntoDevice())
    #expect(try differingSectors(content(of: origin.path), merge.expectedOrigin()) == [])
  }

  private func merge(originTail: Int) throws -> MergeCase {
    try MergeCase(
      pool: PoolImageBuilder(devices: [ThinDevice(0, Self.mappings)]).build(),
      originByteCount: Self.lastBlockStart + originTail)
  }
}

@Suite("Command: mapped blocks past the end of the origin", .waitsForPrograms)
struct PastEndTests {
  static let originByteCount = 50 * 65_536

  @Test("mapped blocks past the origin's end are refused by default")
  func refused() throws {
    let merge = try merge()
    expectError(try merge.merge(), exitStatus: 2, naming: merge.origin)
    #expect(try merge.changedSectors() == [])
  }

  @Test("--past-end clip merges everything but the blocks past the origin's end")
  func clipped() throws {
    let merge = try merge()
    expectSuccess(try merge.merge(["--past-end", "clip"]))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("the report includes the number of blocks that --past-end clip skips")
  func clippedAreReported() throws {
    let merge = try merge()
    let result = try merge.merge(["--past-end", "clip", "--output", "json"])
    let past = merge.mappings.filter {
      Int($0.thinBlock) * merge.blockByteCount >= Self.originByteCount
    }
    #expect(try result.report()["past_end_blocks"]?.integer == past.count)
  }

  @Test("--past-end grow extends a file to the end of the last mapped block")
  func grown() throws {
    let merge = try merge()
    expectSuccess(try merge.merge(["--past-end", "grow"]))
    let lastBlock = Int(merge.mappings.last?.thinBlock ?? 0)
    #expect(try byteCount(ofFile: merge.originFile) == (lastBlock + 1) * merge.blockByteCount)
  }

  @Test("--past-end grow with --thin-size extends a file to the end of the thin device")
  func grownToThinDevice() throws {
    let merge = try merge()
    let thinByteCount = 130 * merge.blockByteCount + 513
    expectSuccess(try merge.merge(["--past-end", "grow", "--thin-size", "\(thinByteCount)"]))
    #expect(try byteCount(ofFile: merge.originFile) == thinByteCount)
  }

  @Test("a merge that extends a file can be resumed")
  func grownInTwoRuns() throws {
    let merge = try merge()
    try merge.interruptMerge(["--past-end", "grow"])
    expectSuccess(try merge.resume())
    let last = try #require(merge.mappings.last)
    let written = try content(of: merge.originFile).suffix(merge.blockByteCount)
    let start = Int(last.dataBlock) * merge.blockByteCount
    #expect(Data(written) == merge.dataBefore[start..<(start + merge.blockByteCount)])
  }

  @Test("--past-end grow does not extend a block device", .needsLoopDevices)
  func deviceCannotGrow() throws {
    let merge = try merge()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let result = try merge.mergeOntoDevice(["--past-end", "grow"])
    #expect([2, 64].contains(result.exitStatus), "\(result.standardError)")
    #expect(try merge.changedSectors() == [])
  }

  private func merge() throws -> MergeCase {
    try MergeCase(
      pool: PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 40))]).build(),
      originByteCount: Self.originByteCount)
  }
}
