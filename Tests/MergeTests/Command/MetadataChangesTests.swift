import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite("Command: metadata changes during a merge", .waitsForPrograms)
struct MetadataChangesTests {
  /// A change made to the pool between the plan and the end of the merge.
  enum Change: String, CaseIterable {
    case snapshotReleased
    case snapshotReplaced
    case inactivePoolActivated
  }

  @Test(
    "a merge whose metadata changes is left unfinished, and completes once it is restored",
    arguments: Change.allCases)
  func changed(_ change: Change) throws {
    let image = PoolImageBuilder(devices: [ThinDevice(0, .everyThird(count: 8))]).build()
    let merge = try MergeCase(pool: image, originByteCount: 24 * 65_536)
    let metadata = merge.metadataFile
    let changed = Self.superblocks(of: image, after: change)
    let sound = Self.superblocks(of: image, after: nil)
    let source = MergeSource(
      metadataPath: metadata, dataPath: merge.data, deviceID: 0,
      mappings: change == .inactivePoolActivated
        ? .inactivePool : .metadataSnapshot(block: nil))

    let outcome = try EngineInProcess.merge(source, onto: merge.origin) {
      (try? Self.put(changed, into: metadata)) != nil
    }

    #expect(outcome.exitStatus == 3, "\(outcome.message)")
    #expect(try !JournalOnDisk.state(of: merge.journal).isFinished)
    try Self.put(sound, into: metadata)
    let again = try EngineInProcess.merge(source, onto: merge.origin)
    #expect(again.exitStatus == 0, "\(again.message)")
    #expect(try merge.wrongSectors() == [])
  }

  /// Returns the pool's superblocks, keyed by block number.
  private static func superblocks(of image: PoolImage, after change: Change?) -> [Int: Data] {
    var image = image
    switch change {
    case .snapshotReleased: image.editSuperblock(.live) { $0.heldRoot = 0 }
    case .snapshotReplaced: image.editSuperblock(.held) { $0.transactionID += 1 }
    case .inactivePoolActivated: image.editSuperblock(.live) { $0.transactionID += 1 }
    case nil: break
    }
    let blocks = [0, image.heldBlock ?? 0]
    return Dictionary(
      uniqueKeysWithValues: Set(blocks).map {
        ($0, image.metadata.data.subdata(in: $0 * 4096..<($0 + 1) * 4096))
      })
  }

  private static func put(_ blocks: [Int: Data], into path: String) throws {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    for (block, bytes) in blocks {
      try file.seek(toOffset: UInt64(block) * 4096)
      try file.write(contentsOf: bytes)
    }
    try file.close()
  }
}
