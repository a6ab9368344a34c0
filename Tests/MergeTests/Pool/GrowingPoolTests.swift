import Foundation
import MergeEngine
import Testing

@Suite("Pool: data and metadata devices that grow", .needsLoopDevices, .waitsForPrograms)
struct GrowingPoolTests {
  @Test("a merge succeeds even if the pool's metadata device grows meanwhile")
  func metadataDuringMerge() throws {
    let pool = try ActivePool()
    let outcome = pool.merge(whenAsked: { pool.growMetadata() })
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(!pool.mapper.isHolding, "\(outcome.notes)")
    #expect(try pool.recordFiles() == [])
  }

  @Test(
    "metadata is accepted even if its device grows between the size query and the superblock read")
  func metadataWhileSuperblockIsRead() throws {
    let pool = try ActivePool()
    let file = try OpenFile(pool.metadata.path, role: "metadata device", access: .readOnly)
    var io = try LinuxAIO(
      requestCount: 0, slabByteCount: 4096, files: [.metadata: file],
      clock: Clock(now: { .zero }, sleep: { _ in }))
    var count = 0
    let metadata = try PoolMetadata(
      path: file.path,
      byteCount: { () throws(MergeError) in
        defer { count += 1 }
        let byteCount = try file.byteCountNow()
        if count == 0 { pool.growMetadata() }
        return byteCount
      }, mappings: .inactivePool, ignoresNeedsCheck: false, &io)
    #expect(metadata.live.metadataBlockCount == 512)
  }

  @Test("a merge succeeds even if the pool's data device grows meanwhile")
  func dataDuringMerge() throws {
    let pool = try ActivePool()
    let outcome = pool.merge(whenAsked: { pool.growData() })
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
    #expect(!pool.mapper.isHolding)
  }

  @Test(
    "a stopped merge can be finished after the pool's data and metadata devices have grown",
    arguments: [true, false])
  func betweenRuns(isResumed: Bool) throws {
    let pool = try ActivePool()
    try pool.cutData()
    #expect(pool.merge().exitStatus == 3)
    try pool.restoreData()
    pool.growData()
    pool.growMetadata()
    let outcome = isResumed ? try pool.resume() : pool.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try pool.isMerged())
  }

  @Test("both 'merge' and 'resume' can finish a stopped merge after the data file has grown")
  func dataFile() throws {
    for isResumed in [true, false] {
      let merge = try MergeCase(scatteredBlocks: 8)
      try merge.interruptEarly()
      try Program.mustRun("truncate", "--size", "+64K", merge.dataFile)
      expectSuccess(try isResumed ? merge.resume() : merge.merge())
      #expect(try merge.wrongSectors() == [])
    }
  }
}

extension ActivePool {
  /// Extends the metadata device to 512 blocks, as another program would.
  fileprivate func growMetadata() {
    mapper.grownMetadataBlockCount = 512
    grow(metadata, folder.path("metadata.img"), to: 512 * 4096)
  }

  /// Doubles the size of the data device, as another program would.
  fileprivate func growData() {
    mapper.dataBlockCount = 512
    grow(data, folder.path("data.img"), to: 512 * Self.blockByteCount)
  }

  private func grow(_ device: LoopDevice, _ file: String, to byteCount: Int) {
    do {
      try Program.mustRun("truncate", "--size", "\(byteCount)", file)
      try Program.mustRun("losetup", "--set-capacity", device.path)
      try mapper.changeBySomebodyElse()
    } catch {
      Issue.record(error)
    }
  }
}
