import Fixtures

extension Damage {
  /// Damage to the superblocks, or to the metadata or data file as a whole.
  static let ofSuperblocks: [Damage] = [
    Damage("the metadata is empty") { image in
      image.metadataFileByteCount = 0
      return .metadataFile
    },
    Damage("the metadata is all zeroes") { image in
      image.metadata = MetadataImage(blockCount: 64)
      return .metadataFile
    },
    Damage("the metadata is a text file") { image in
      let line = "this is no pool, but somebody's notes about one\n"
      let text = Array(String(repeating: line, count: 200).utf8)
      for block in 0..<2 { image.metadata[block] = BlockBytes(bytes: Array(text.prefix(4096))) }
      return .metadataFile
    },
    Damage("the metadata ends inside the superblock") { image in
      image.metadataFileByteCount = 1000
      return .metadataFile
    },
    Damage("the metadata ends behind the superblock") { image in
      image.metadataFileByteCount = MetadataImage.blockByteCount
      return .metadataFile
    },
    Damage("the metadata ends before the last block of the trees") { image in
      image.metadataFileByteCount =
        (image.tree.blocks.max() ?? 0) * MetadataImage.blockByteCount
      return .metadataFile
    },
    Damage("the metadata is one block shorter than its space map says") { image in
      image.metadataFileByteCount =
        (image.metadata.blockCount - 1) * MetadataImage.blockByteCount
      return .metadataFile
    },
    Damage("the superblock's checksum is wrong") { image in
      image.flip(1, inBlock: 0, atByte: 48)
      return .metadataFile
    },
    Damage("the superblock's unused rest does not fit its checksum") { image in
      image.flip(0x80, inBlock: 0, atByte: 4095)
      return .metadataFile
    },
    Damage("the superblock is checksummed as a node") { image in
      image.metadata.seal(0, as: .node)
      return .metadataFile
    },
    Damage("the superblock says it is another block") { image in
      image.damageSuperblock { $0.blockNumber = 1 }
    },
    Damage("the superblock's magic is wrong") { image in
      image.damageSuperblock { $0.magic += 1 }
    },
    Damage("the superblock's version is 0") { image in
      image.damageSuperblock { $0.version = 0 }
    },
    Damage("the superblock's version is 3") { image in
      image.damageSuperblock { $0.version = 3 }
    },
    Damage("the superblock has an unknown incompatible feature") { image in
      image.damageSuperblock { $0.incompatibleFeatures = 0x10 }
    },
    Damage("the pool needs a check") { image in
      image.damageSuperblock { $0.flags = 1 }
    },
    Damage("the pool's time does not fit 24 bits") { image in
      image.damageSuperblock { $0.time = 1 << 24 }
    },
    Damage("no metadata snapshot is held") { image in
      image.damageSuperblock { $0.heldRoot = 0 }
    },
    Damage("the held root is the number of metadata blocks") { image in
      image.damageSuperblock { $0.heldRoot = $0.metadataBlockCount }
    },
    Damage("the held root is far outside") { image in
      image.damageSuperblock { $0.heldRoot = .max }
    },
    Damage("the held root points at a node") { image in
      let leaf = image.firstLeaf
      image.editSuperblock { $0.heldRoot = UInt64(leaf) }
      return .blocks([leaf])
    },
    Damage("the pool has no metadata blocks") { image in
      image.damageSuperblock { $0.metadataBlockCount = 0 }
    },
    Damage("the pool has no data blocks, but mappings") { image in
      image.editSuperblock(.held) { $0.dataBlockCount = 0 }
      return image.damageSuperblock { $0.dataBlockCount = 0 }
    },
    Damage("the pool has no data blocks, though its metadata snapshot has") { image in
      image.damageSuperblock { $0.dataBlockCount = 0 }
    },
    Damage("the data file ends one byte before the last block that is mapped does") { image in
      image.dataFileByteCount =
        (PoolImageBuilder.sound.lastDataBlock + 1) * image.blockByteCount - 1
      return .dataFile
    },
    Damage("the data file is empty") { image in
      image.dataFileByteCount = 0
      return .dataFile
    },
    Damage("the data device's byte count overflows") { image in
      image.editSuperblock { $0.dataBlockCount = 1 << 60 }
      return .blocks([0])
    },
    Damage("the held copy's checksum is wrong") { image in
      image.flip(4, inBlock: image.blockNumber(of: .held), atByte: 60)
      return .blocks([image.blockNumber(of: .held)])
    },
    Damage("the held copy says it is another block") { image in
      image.damageSuperblock(.held) { $0.blockNumber += 1 }
    },
    Damage("the held copy's magic is wrong") { image in
      image.damageSuperblock(.held) { $0.magic = 0 }
    },
    Damage("the held copy's version is 3") { image in
      image.damageSuperblock(.held) { $0.version = 3 }
    },
    Damage("the held copy holds a root itself") { image in
      image.damageSuperblock(.held) { $0.heldRoot = $0.blockNumber }
    },
    Damage("the held copy is from the future") { image in
      image.damageSuperblock(.held) { $0.time += 1 }
    },
    Damage("the held copy has another block size") { image in
      image.damageSuperblock(.held) { $0.dataBlockSectorCount *= 2 }
    },
    Damage("the held copy has an unknown incompatible feature") { image in
      image.damageSuperblock(.held) { $0.incompatibleFeatures = 1 }
    },
  ]

  /// Damage that sets the data block size to a number of sectors that the format does not allow.
  static let ofBlockSize: [Damage] = ([0, 64, 129, 2_097_280, .max] as [UInt32]).map {
    sectorCount in
    Damage("data blocks are of \(sectorCount) sectors") { image in
      image.editSuperblock(.held) { $0.dataBlockSectorCount = sectorCount }
      return image.damageSuperblock { $0.dataBlockSectorCount = sectorCount }
    }
  }
}
