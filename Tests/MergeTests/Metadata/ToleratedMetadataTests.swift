import Fixtures
import Foundation
import Testing

/// An oddity in a pool that does not prevent a merge.
struct Oddity: Sendable, CustomTestStringConvertible {
  let name: String
  let pool: PoolImageBuilder
  let options: [String]
  let make: @Sendable (inout PoolImage) -> Void

  init(
    _ name: String, pool: PoolImageBuilder = .sound, options: [String] = [],
    make: @escaping @Sendable (inout PoolImage) -> Void = { _ in }
  ) {
    self.name = name
    self.pool = pool
    self.options = options
    self.make = make
  }

  var testDescription: String { name }
}

extension PoolImageBuilder {
  /// Returns a copy of this builder with the given change applied.
  func with(_ change: (inout PoolImageBuilder) -> Void) -> PoolImageBuilder {
    var builder = self
    change(&builder)
    return builder
  }
}

extension Oddity {
  static let all = sound + rescued

  /// Oddities that a merge reports in a note, or accepts if an option is given.
  private static let rescued: [Oddity] = [
    Oddity("another device is only in the top-level tree") { image in
      image.editNode(at: image.held.details.root) { $0.entryCount -= 1 }
    },
    Oddity("another device is only in the details tree") { image in
      image.editNode(at: image.held.topLevel.root) { $0.entryCount -= 1 }
    },
    Oddity("the two trees name another device differently") { image in
      image.editNode(at: image.held.details.root) { $0.setKey(2, to: 10) }
    },
    Oddity("another device has a number beyond 24 bits") { image in
      for root in [image.held.topLevel.root, image.held.details.root] {
        image.editNode(at: root) { $0.setKey(Int($0.entryCount) - 1, to: 1 << 24) }
      }
    },
    Oddity("the details of another device count one mapping more") { image in
      image.editNode(at: image.held.details.root) { $0.setValue(1, to: 11) }
    },
    Oddity(
      "the details count one mapping more than there are", options: ["--ignore-mapping-count"]
    ) { image in
      image.editNode(at: image.held.details.root) { $0.setValue(0, to: 41) }
    },
    Oddity("the data file ends behind the last block that the device maps") { image in
      image.dataFileByteCount =
        (PoolImageBuilder.sound.lastDataBlock + 1) * image.blockByteCount + 12_345
    },
  ]

  private static let sound: [Oddity] = [
    Oddity("nothing at all"),
    Oddity("a root key is below the first key under it") { image in
      image.editNode(at: image.tree.root) { $0.setKey(0, to: 0) }
    },
    Oddity("a parent key is below its leaf's first key") { image in
      image.editNode(at: image.firstParent) { $0.setKey(1, to: $0.key(1) - 2) }
    },
    Oddity("slots that are not in use hold garbage") { image in
      for block in image.tree.blocks + image.held.topLevel.blocks + image.held.details.blocks {
        image.editNode(at: block) { node in
          for slot in Int(node.entryCount)..<Int(node.entryCountMax) {
            node.setKey(slot, to: .max - UInt64(slot))
            node.setValue(slot, to: .max)
          }
        }
      }
    },
    Oddity("the padding of node headers holds garbage") { image in
      for block in image.tree.blocks {
        image.editNode(at: block) { $0.block.set(UInt32.max, at: 28) }
      }
    },
    Oddity("the number of metadata blocks at format time is too small") { image in
      image.editSuperblock { $0.metadataBlockCountAtFormat = 1 }
      image.editSuperblock(.held) { $0.metadataBlockCountAtFormat = 1 }
    },
    Oddity("the number of metadata blocks at format time is too large") { image in
      image.editSuperblock { $0.metadataBlockCountAtFormat = .max }
      image.editSuperblock(.held) { $0.metadataBlockCountAtFormat = .max }
    },
    Oddity("every leaf has a single entry", pool: .sound.with { $0.leafEntryCount = 1 }),
    Oddity("nodes have room for a number of entries that three does not divide") { image in
      for block in image.tree.blocks {
        image.editNode(at: block) { $0.relayout(entryCountMax: 250) }
      }
    },
    Oddity("nodes have room for as many entries as fit") { image in
      for block in image.tree.blocks {
        image.editNode(at: block) { $0.relayout(entryCountMax: 254) }
      }
    },
    Oddity("a mapping is younger than the pool") { image in
      image.editNode(at: image.firstLeaf) { $0.setValue(0, to: $0.value(0) + 1000) }
    },
    Oddity(
      "a device is younger than the pool",
      pool: .sound.with {
        $0.devices[0].creationTime = 1000
        $0.devices[0].snapshottedTime = 1000
      }),
    Oddity("unknown compatible features are set") { image in
      for which in [PoolImage.Superblock.live, .held] {
        image.editSuperblock(which) {
          $0.compatibleFeatures = 1
          $0.compatibleReadOnlyFeatures = 1
        }
      }
    },
    Oddity("the superblock is of version 1") { image in
      image.editSuperblock { $0.version = 1 }
      image.editSuperblock(.held) { $0.version = 1 }
    },
    Oddity("another device's tree is damaged") { image in
      image.flip(1, inBlock: image.held.mapping(of: 5).root, atByte: 32)
    },
    Oddity("the live trees are damaged", pool: .sound.with { $0.liveDevices = [] }) { image in
      image.flip(1, inBlock: image.live.topLevel.root, atByte: 32)
      image.flip(1, inBlock: image.live.details.root, atByte: 32)
    },
    Oddity(
      "the pool went on after the metadata snapshot",
      pool: .sound.with { $0.liveDevices = [ThinDevice(1, .consecutive(count: 9))] }
    ) { image in
      image.editSuperblock {
        $0.time += 5
        $0.transactionID += 5
      }
    },
    Oddity(
      "a snapshot shares the whole tree",
      pool: .sound.with { $0.devices.append(ThinDevice(20, sharesTreeOf: 1)) }),
    Oddity("nodes lie in no order", pool: .sound.with { $0.placement = .shuffled(seed: 11) }),
    Oddity(
      "the trees of ids are deep",
      pool: .sound.with {
        $0.devices += (100..<120).map { ThinDevice(UInt64($0)) }
        $0.idEntryCount = 2
        $0.idInternalEntryCount = 2
      }),
    Oddity("a tree of 16 levels", pool: .chain(depth: 16)),
    Oddity("a device without any mapping", pool: PoolImageBuilder(devices: [ThinDevice(1)])),
    Oddity("the data file is longer than the pool") { image in
      image.dataFileByteCount = image.dataBlockCount * image.blockByteCount + 12_345
    },
    Oddity("the metadata file is longer than the pool") { image in
      image.metadataFileByteCount =
        (image.metadata.blockCount + 10) * MetadataImage.blockByteCount
    },
    Oddity(
      "the held metadata snapshot of a pool that needs a check",
      options: ["--ignore-needs-check"]
    ) { image in
      image.editSuperblock { $0.flags = 1 }
    },
  ]
}

@Suite("Tolerated metadata: odd but sound pools are merged", .waitsForPrograms)
struct ToleratedMetadataTests {
  @Test("a pool with an oddity in its metadata is merged correctly", arguments: Oddity.all)
  func merged(_ oddity: Oddity) throws {
    var image = oddity.pool.build()
    oddity.make(&image)
    let model = ThinModel(device: 0, of: oddity.pool, contentSeed: image.contentSeed)
    let pool = try PoolOnDisk(image, origin: model.originBefore)
    let merge = try pool.merge(1, oddity.options)
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try pool.originContent() == model.originAfter)
  }

  @Test(
    "plan, verify and devices note inconsistent devices; plan and verify note a short data file"
  )
  func notes() throws {
    var image = PoolImageBuilder.sound.build()
    image.editNode(at: image.held.details.root) { $0.entryCount -= 1 }
    image.dataFileByteCount = (PoolImageBuilder.sound.lastDataBlock + 1) * image.blockByteCount
    let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin)
    for result in [try pool.planForOrigin(1), try pool.verify(1)] {
      #expect(
        result.standardError.contains("\"code\":\"devices-disagree\""), "\(result.standardError)")
      #expect(result.standardError.contains("\"code\":\"data-shorter-than-pool\""))
    }
    let devices = try pool.run(["devices", "--metadata", pool.metadata])
    #expect(devices.exitStatus == 0)
    #expect(devices.standardError.contains("only one tree contains"), "\(devices.standardError)")
  }

  @Test("a merge started with --ignore-mapping-count can be resumed without that option")
  func resumedWithWrongCount() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    var image = PoolImageBuilder(devices: [ThinDevice(0, merge.mappings)]).build()
    image.editNode(at: image.held.details.root) { $0.setValue(0, to: 9) }
    try overwrite(merge.metadataFile, with: image.metadata.data)
    #expect(try merge.merge().exitStatus == 2)
    try merge.interruptEarly(["--ignore-mapping-count"])
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("a merge with --inactive reads the live trees even if a metadata snapshot is held")
  func inactive() throws {
    let builder = PoolImageBuilder.sound.with {
      $0.liveDevices = [ThinDevice(1, .everyThird(count: 12, startingAt: 1, dataBlock: 20))]
    }
    let image = builder.build()
    let live = builder.with { $0.devices = $0.liveDevices ?? [] }
    let model = ThinModel(device: 0, of: live, contentSeed: image.contentSeed)
    let pool = try PoolOnDisk(image, origin: model.originBefore)
    let merge = try pool.merge(1, ["--inactive"])
    try #require(merge.exitStatus == 0, "\(merge.standardError)")
    #expect(try pool.originContent() == model.originAfter)
  }

  @Test("--metadata-snap accepts the block number of the pool's held metadata snapshot")
  func namedSnapshot() throws {
    let image = PoolImageBuilder.sound.build()
    let pool = try PoolOnDisk(image, origin: Data(count: PoolImageBuilder.originByteCount))
    let merge = try pool.merge(1, ["--metadata-snap", String(image.blockNumber(of: .held))])
    #expect(merge.exitStatus == 0, "\(merge.standardError)")
  }

  @Test(
    "--metadata-snap is refused if it names a block other than the held metadata snapshot",
    arguments: 0...2)
  func otherSnapshot(choice: Int) throws {
    let image = PoolImageBuilder.sound.build()
    let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin)
    let held = image.blockNumber(of: .held)
    // The choices are the superblock, the block after it, and the block after the held root.
    let other = [0, 1, held + 1][choice]
    try #require(other != held)
    let refused = try pool.merge(1, ["--metadata-snap", String(other)])
    #expect(refused.exitStatus == 2, "\(refused.standardError)")
    #expect(errorLines(refused).count == 1)
    #expect(errorLines(refused).first?.contains(pool.metadata) == true)
    #expect(try pool.originContent() == PoolImageBuilder.origin)
  }
}

extension ThinModel {
  /// Creates a model of merging a device of the pool into an origin that is large enough.
  init(device index: Int, of pool: PoolImageBuilder, contentSeed: UInt16) {
    self.init(
      blockByteCount: pool.blockByteCount, mappings: pool.devices[index].mappings,
      originByteCount: PoolImageBuilder.originByteCount, thinByteCount: nil, pastEnd: .refuse,
      contentSeed: contentSeed)
  }
}
