import Fixtures
import Foundation
import Testing

@Suite("Fixtures: the model that predicts the result of a merge")
struct ThinModelTests {
  /// Returns a model with 1 KiB blocks that maps thin blocks 1, 3 and 4 to data blocks 7, 0 and 1.
  private func model(
    originByteCount: Int, thinByteCount: Int? = nil, pastEnd: PastEndPolicy = .refuse
  ) -> ThinModel {
    ThinModel(
      blockByteCount: 1024, mappings: [ThinMapping(1, 7), ThinMapping(3, 0), ThinMapping(4, 1)],
      originByteCount: originByteCount, thinByteCount: thinByteCount, pastEnd: pastEnd,
      contentSeed: 9)
  }

  @Test("in the model, mapped blocks come from the data device and all other bytes stay unchanged")
  func content() {
    let origin = SectorContent(source: .origin, seed: 9)
    let data = SectorContent(source: .data, seed: 9)
    var expected = origin.bytes(in: 0..<1024)
    expected.append(data.bytes(in: 7168..<8192))
    expected.append(origin.bytes(in: 2048..<3072))
    expected.append(data.bytes(in: 0..<2048))
    expected.append(origin.bytes(in: 5120..<6000))
    #expect(model(originByteCount: 6000).originAfter == expected)
  }

  @Test("a block that straddles the origin's end is clipped if the thin device's size is unknown")
  func cutBlock() {
    #expect(model(originByteCount: 4500).writes.last?.target == 4096..<4500)
  }

  @Test(
    "a block that straddles the origin's end is refused if the thin device is known to be longer")
  func longerThinDevice() {
    #expect(model(originByteCount: 4500, thinByteCount: 5120).isRefused)
  }

  @Test("a mapped block past the origin's end is refused")
  func blockBehindEnd() {
    #expect(model(originByteCount: 4096).isRefused)
  }

  @Test("nothing is written past the end of a thin device that is shorter than its origin")
  func shorterThinDevice() {
    #expect(model(originByteCount: 9000, thinByteCount: 3584).writes.last?.target == 3072..<3584)
  }

  @Test("with clipping, blocks are written only up to the origin's end")
  func clipping() {
    #expect(model(originByteCount: 3500, pastEnd: .clip).writtenByteCount == 1024 + 428)
  }

  @Test(
    "a growing origin ends where the thin device ends, if the thin device's size is known")
  func growingToThinEnd() {
    let grown = model(originByteCount: 2000, thinByteCount: 8192, pastEnd: .grow)
    #expect(grown.originAfter.count == 8192)
  }

  @Test("a growing origin ends after the last mapped block if the thin device's size is unknown")
  func growingToLastMapping() {
    #expect(model(originByteCount: 2000, pastEnd: .grow).originAfter.count == 5120)
  }

  @Test("adjacent differing sectors form a single range, even across block boundaries")
  func differingRanges() {
    var differing = DifferingRanges()
    let zeroes = Data(count: 1024)
    var lastSector = zeroes
    lastSector[1000] = 1
    var firstSector = zeroes
    firstSector[0] = 1
    differing.compare(lastSector, with: zeroes, at: 0)
    differing.compare(firstSector, with: zeroes, at: 1024)
    differing.compare(firstSector, with: zeroes, at: 4096)
    #expect(differing.ranges == [512..<1536, 4096..<4608])
  }

  @Test("runs of mappings are as long as possible, and end where either device is not contiguous")
  func runs() {
    let runs = MappedRun.runs(of: [
      ThinMapping(1, 5), ThinMapping(2, 6, time: 3), ThinMapping(4, 7), ThinMapping(5, 9),
    ])
    #expect(
      runs == [
        MappedRun(thinBlock: 1, dataBlock: 5, blockCount: 2),
        MappedRun(thinBlock: 4, dataBlock: 7, blockCount: 1),
        MappedRun(thinBlock: 5, dataBlock: 9, blockCount: 1),
      ])
  }
}
