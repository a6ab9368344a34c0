import Fixtures
import Foundation
import Testing

@Suite("Damaged metadata: refused before anything is written")
struct DamagedMetadataTests {
  @Test("metadata file and superblocks", arguments: Damage.ofSuperblocks)
  func superblocks(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("block size", arguments: Damage.ofBlockSize)
  func blockSize(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("any node", arguments: Damage.ofAnyNode)
  func anyNode(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("keys", arguments: Damage.ofKeys)
  func keys(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("the shape of a tree", arguments: Damage.ofShape)
  func shape(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("mappings and device details", arguments: Damage.ofDevices)
  func devices(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("the rows change what they claim to: the pool they start from is merged")
  func soundPool() throws {
    let pool = try PoolOnDisk(
      PoolImageBuilder.sound.build(), origin: PoolImageBuilder.origin, fillingData: false)
    for devID in [1, 5, 9] {
      let merge = try pool.merge(devID)
      #expect(merge.exitStatus == 0, "\(merge.standardError)")
    }
  }

  private func expectRefusal(of damage: Damage) throws {
    var image = damage.pool.build()
    let culprit = damage.damage(&image)
    let before = PoolImageBuilder.origin
    let pool = try PoolOnDisk(image, origin: before, fillingData: false)
    let files = try pool.folder.names()

    let refused = try pool.merge(damage.devID, damage.options)

    #expect(refused.exitStatus == 2, "\(refused.standardError)")
    let lines = refused.standardError.split(separator: "\n")
    let errors = errorLines(refused)
    #expect(errors.count == 1, "\(refused.standardError)")
    #expect(
      lines.allSatisfy { $0.hasPrefix("thin-merge: error: ") || $0.hasPrefix("hint: ") },
      "\(refused.standardError)")
    let message = String(errors.first ?? "")
    switch culprit {
    case .metadataFile:
      #expect(message.contains(pool.metadata))
    case .dataFile:
      #expect(message.contains(pool.data))
    case .blocks(let blocks):
      #expect(message.contains(pool.metadata))
      let numbers = message.replacing(pool.metadata, with: "")
        .split { !$0.isNumber }.compactMap { UInt64($0) }.map { Int(clamping: $0) }
      #expect(blocks.contains(where: numbers.contains), "none of \(blocks) in: \(message)")
    }
    #expect(try pool.originContent() == before, "the origin was changed")
    #expect(try pool.folder.names() == files, "something was left behind")
  }
}
