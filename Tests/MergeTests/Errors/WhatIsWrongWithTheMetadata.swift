import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// Damage to metadata, and what is said of it.
enum WhatIsWrongWithTheMetadata {
  /// A row for each kind of damage that there is a test of.
  static let rows = ofDamage + others

  private static let ofDamage = damages.map { damage in
    let said = words[damage.name]
    return ErrorRow(
      damage.name, .refused, said?.message ?? "", hints: said.map { [$0.hint ?? usualHint] } ?? []
    ) {
      let pool = try damage.spoiledPool()
      return try SaidError(pool.merge(damage.devID, damage.options))
        .naming([(pool.folder.path, "FOLDER")])
    }
  }

  private static func isOfOneTree(_ damage: Damage) -> Bool {
    damage.name.contains("of the top-level tree") || damage.name.hasSuffix("of the other kind")
  }

  /// Every kind, of nodes those of one tree.
  fileprivate static let damages =
    Damage.ofSuperblocks + Damage.ofBlockSize
    + Damage.ofAnyNode.filter(isOfOneTree) + Damage.ofKeys
    + Damage.ofShape + Damage.ofDevices

  private static let others: [ErrorRow] = [
    ErrorRow(
      "another metadata snapshot", .refused,
      """
      cannot use the metadata, FOLDER/metadata.img, block 0: the metadata snapshot that is \
      held is at block 27; --metadata-snap says 3
      """, hints: ["without --metadata-snap, the one that is held is used"]
    ) {
      let pool = try PoolOnDisk(
        PoolImageBuilder.sound.build(), origin: PoolImageBuilder.origin, fillingData: false)
      return try SaidError(pool.merge(1, ["--metadata-snap", "3"]))
        .naming([(pool.folder.path, "FOLDER")])
    },
    ErrorRow(
      "the data in the place of the metadata", .refused,
      "bad metadata, FOLDER/data.img, block 0: not the metadata of a thin pool",
      hints: ["--metadata and --data seem to be swapped"],
      command: { merge in
        swap(&merge.metadata, &merge.data)
        return try merge.merge()
      }),
    ofValue(
      "a block that cannot be read",
      "bad metadata, FOLDER/metadata.img, block 7: cannot be read: Input/output error",
      hints: ["the kernel's log may say more about the device"],
      .cannotRead(MetadataBlock(7), result: -5)),
    ofValue(
      "a block that is not there",
      """
      bad metadata, FOLDER/metadata.img, block 7: cannot be read: the metadata ends inside \
      it
      """,
      hints: [
        """
        if this is the pool's metadata device: once the pool is not active, 'thin_check \
        FOLDER/metadata.img' says more
        """
      ], .cannotRead(MetadataBlock(7), result: 0)),
    ofOtherBlock(.spaceMapBitmap, "a space-map bitmap"),
    ofOtherBlock(.spaceMapIndex, "a space-map index"),
    ErrorRow(
      "metadata blocks of another size", .refused,
      "bad metadata, FOLDER/metadata.img, block 0: the metadata block size is 16 sectors; 8 is "
        + "expected", hints: [usualHint]
    ) {
      var image = PoolImageBuilder.sound.build()
      image.editSuperblock(.live) { $0.metadataBlockSectorCount = 16 }
      let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
      return try SaidError(pool.merge(1)).naming([(pool.folder.path, "FOLDER")])
    },
  ]

  /// Another block in the place of a node, sealed as what it is.
  private static func ofOtherBlock(_ kind: BlockKind, _ inWords: String) -> ErrorRow {
    ErrorRow(
      "\(inWords) in the place of a node", .refused,
      "bad metadata, FOLDER/metadata.img, block 7: it is \(inWords); a btree node is expected",
      hints: [usualHint]
    ) {
      var block = [UInt8](repeating: 0, count: BlockKind.blockByteCount)
      let sum = ~JournalSample.checksum(Array(block[4...])) ^ kind.rawValue
      for index in 0..<4 { block[index] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(index))) }
      do throws(MetadataFault) {
        try BlockKind.btreeNode.check(RawSpan(_elements: block.span), of: MetadataBlock(7))
      } catch {
        return SaidError(error.refusal(path: "FOLDER/metadata.img"))
      }
      throw SupportError("believed")
    }
  }

  /// A fault as the engine words it.
  private static func ofValue(
    _ situation: String, _ message: String, hints: [String] = [], _ fault: MetadataFault
  ) -> ErrorRow {
    ErrorRow(situation, .refused, message, hints: hints) {
      SaidError(fault.refusal(path: "FOLDER/metadata.img"))
    }
  }

  /// What can be done about most damage.
  static let usualHint = """
    if this is the pool's metadata device: once the pool is not active, 'thin_check \
    FOLDER/metadata.img' says more
    """

  /// What can be done where it is no metadata at all.
  static let whereMetadataIs =
    "the metadata device is the first in 'dmsetup table POOL'; with LVM it is VG-POOL_tmeta"

  /// An error of a row, with its hint where that is not the usual one.
  struct Words {
    var message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
      self.message = message
      self.hint = hint
    }
  }

  /// By the name of the damage.
  static let words: [String: Words] = [
    "a child is a block that was never written": Words(
      """
      bad metadata, FOLDER/metadata.img, block 46: the checksum is 0x00000000; 0x58cc7e82 \
      is expected of a btree node
      """),
    "a child is an unlike block of a right checksum": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: the node's values have 24 bytes; 8 is \
      expected
      """),
    "a child is block 0": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: it leads to block 0; a node in 1 to 46 \
      is expected
      """),
    "a child is past the end by far": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: it leads to block 18446744073709551615; \
      a node in 1 to 46 is expected
      """),
    "a child is past the space map's end but inside the file": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: it leads to block 46; a node in 1 to 45 \
      is expected
      """),
    "a child is the first block past the end": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: it leads to block 47; a node in 1 to 46 \
      is expected
      """),
    "a child is the held copy": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: it leads to block 27; a node in 1 to 46 \
      is expected, not the metadata snapshot itself
      """),
    "a data block is mapped twice in one leaf": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: data block 1 is mapped twice, the second \
      time by thin block 12; once is expected within a device
      """),
    "a data block is mapped twice, in two leaves and at different times": Words(
      """
      bad metadata, FOLDER/metadata.img, block 17: data block 1 is mapped twice, the \
      second time by thin block 114; once is expected within a device
      """),
    "a data block is mapped twice, behind leaves that are added up": Words(
      """
      bad metadata, FOLDER/metadata.img, block 555: data block 0 is mapped twice, the \
      second time by thin block 1650; once is expected within a device
      """),
    "a data block is mapped twice, and the details count one mapping more": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: data block 1 is mapped twice, the second \
      time by thin block 12; once is expected within a device
      """),
    "a data block is the first past the pool's end": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: thin block 9 is mapped to data block \
      128; one below 128 is expected
      """),
    "a data block is the last that 40 bits can name": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: thin block 9 is mapped to data block \
      1099511627775; one below 128 is expected
      """),
    "a leaf hangs one level higher than the others": Words(
      """
      bad metadata, FOLDER/metadata.img, block 11: a leaf where an internal node is \
      expected: not all leaves are equally deep
      """),
    "a leaf has descending keys": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: key 9 follows key 12; rising keys are \
      expected
      """),
    "a leaf has equal keys": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: key 9 follows key 9; rising keys are \
      expected
      """),
    "a leaf is the child of two slots": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: the node is reached twice; once is \
      expected in a tree
      """),
    "a leaf's first key is below its parent's key": Words(
      """
      bad metadata, FOLDER/metadata.img, block 9: the first key is 17, below the parent's \
      key 18
      """),
    "a leaf's last key belongs to its neighbour": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: the last key is 18, above the 17 that \
      the parent allows
      """),
    "a leaf's last key belongs to its parent's neighbour": Words(
      """
      bad metadata, FOLDER/metadata.img, block 10: the last key is 42, above the 41 that \
      the parent allows
      """),
    "a mapping is missing from a leaf": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: device 1 has 39 mappings; its details \
      say 40
      """),
    "a node is its own child": Words(
      """
      bad metadata, FOLDER/metadata.img, block 3: the node is reached twice; once is \
      expected in a tree
      """),
    "a node's child is the root above it": Words(
      """
      bad metadata, FOLDER/metadata.img, block 1: the node is reached twice; once is \
      expected in a tree
      """),
    "a parent's first key is above its leaf's first key": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: the first key is 6, below the parent's \
      key 7
      """),
    "a tree has 17 levels": Words(
      "bad metadata, FOLDER/metadata.img, block 16: the tree has more than 16 levels"),
    "an empty leaf is the child of two slots": Words(
      """
      bad metadata, FOLDER/metadata.img, block 9: the node is reached twice; once is \
      expected in a tree
      """),
    "an internal node has descending keys": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: key 30 follows key 31; rising keys are \
      expected
      """),
    "an internal node has equal keys": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: key 18 follows key 18; rising keys are \
      expected
      """),
    "an internal node has no entries": Words(
      """
      bad metadata, FOLDER/metadata.img, block 4: an internal node has no entries; at \
      least 1 is expected
      """),
    "another device is only in the details tree": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: the details tree has other devices (3) \
      than the mapping tree (2); the same are expected
      """),
    "another device is only in the top-level tree": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: the details tree has other devices (2) \
      than the mapping tree (3); the same are expected
      """),
    "data blocks are of 0 sectors": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the data block size is 0 sectors; a \
      multiple of 128 from 128 to 2097152 is expected
      """),
    "data blocks are of 129 sectors": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the data block size is 129 sectors; a \
      multiple of 128 from 128 to 2097152 is expected
      """),
    "data blocks are of 2097280 sectors": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the data block size is 2097280 sectors; \
      a multiple of 128 from 128 to 2097152 is expected
      """),
    "data blocks are of 4294967295 sectors": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the data block size is 4294967295 \
      sectors; a multiple of 128 from 128 to 2097152 is expected
      """),
    "data blocks are of 64 sectors": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the data block size is 64 sectors; a \
      multiple of 128 from 128 to 2097152 is expected
      """),
    "no device has the wanted id": Words(
      "no device 2 in the metadata, FOLDER/metadata.img: it has 3 others",
      hint: "they are listed by: thin-merge devices --metadata FOLDER/metadata.img"),
    "no metadata snapshot is held": Words(
      """
      cannot use the metadata, FOLDER/metadata.img, block 0: no metadata snapshot is held
      """,
      hint: """
        of an active pool: 'dmsetup message POOL 0 reserve_metadata_snap', and give \
        --inactive only if the pool is not active
        """),
    "the byte offset of a thin block overflows": Words(
      """
      bad metadata, FOLDER/metadata.img, block 17: thin block 1152921504606846976 ends \
      past the largest offset that a device can have
      """),
    "the data device's byte count overflows": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the pool has 1152921504606846976 data \
      blocks; at most 1099511627776 are possible, and no more than 9223372036854775807 \
      bytes
      """),
    "the data file is empty": Words(
      """
      the data device is too short, FOLDER/data.img: it has 0 bytes; 128 blocks of 65536 \
      are expected
      """, hint: "is it the data device of the pool that the metadata is of?"),
    "the data file is one byte too short for the pool": Words(
      """
      the data device is too short, FOLDER/data.img: it has 8388607 bytes; 128 blocks of \
      65536 are expected
      """, hint: "is it the data device of the pool that the metadata is of?"),
    "the details count one mapping fewer than there are": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: device 1 has 40 mappings; its details \
      say 39
      """),
    "the details count one mapping more than there are": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: device 1 has 40 mappings; its details \
      say 41
      """),
    "the details root is block 0": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: it leads to block 0; a node in 1 to 46 \
      is expected
      """),
    "the device is only in the details tree": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: device 9 is in the details tree only; \
      both are expected to have it
      """),
    "the device is only in the top-level tree": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: device 9 is in the mapping tree only; \
      both are expected to have it
      """),
    "the device's root is outside": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: it leads to block 47; a node in 1 to 46 \
      is expected
      """),
    "the device's root is the held copy": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: it leads to block 27; a node in 1 to 46 \
      is expected, not the metadata snapshot itself
      """),
    "the held copy has an unknown incompatible feature": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the incompatible-feature flags are 0x1; \
      0 is expected
      """),
    "the held copy has another block size": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the metadata snapshot's data block size \
      is 131072 bytes, the pool's 65536
      """),
    "the held copy holds a root itself": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the metadata snapshot holds another \
      one; none is expected
      """),
    "the held copy is from the future": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the metadata snapshot's time is 4, \
      above the pool's 3
      """),
    "the held copy says it is another block": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the superblock says it is block 28; 27 \
      is expected
      """),
    "the held copy's checksum is wrong": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the checksum is 0x6549716f; 0xd34f1625 \
      is expected of a superblock
      """),
    "the held copy's magic is wrong": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: not a superblock of a thin pool
      """),
    "the held copy's version is 3": Words(
      """
      bad metadata, FOLDER/metadata.img, block 27: the superblock's version is 3; 1 or 2 \
      is expected
      """),
    "the held root is far outside": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the metadata snapshot is at block \
      18446744073709551615; the last block is 46
      """),
    "the held root is the number of metadata blocks": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the metadata snapshot is at block 47; \
      the last block is 46
      """),
    "the held root points at a node": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: not a superblock of a thin pool
      """),
    "the metadata ends before the last block of the trees": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the metadata is cut short: the pool has \
      47 metadata blocks, 17 are there
      """),
    "the metadata ends behind the superblock": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the metadata is cut short: the pool has \
      47 metadata blocks, 1 are there
      """),
    "the metadata ends inside the superblock": Words(
      """
      bad metadata, FOLDER/metadata.img: not the metadata of a thin pool: it has 1000 \
      bytes, at least one block of 4096 is expected
      """, hint: whereMetadataIs),
    "the metadata is a text file": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: not the metadata of a thin pool
      """, hint: whereMetadataIs),
    "the metadata is all zeroes": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: not the metadata of a thin pool
      """, hint: whereMetadataIs),
    "the metadata is empty": Words(
      """
      bad metadata, FOLDER/metadata.img: not the metadata of a thin pool: it has 0 bytes, \
      at least one block of 4096 is expected
      """, hint: whereMetadataIs),
    "the metadata is one block shorter than its space map says": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the metadata is cut short: the pool has \
      47 metadata blocks, 46 are there
      """),
    "the pool has no data blocks, but mappings": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: thin block 6 is mapped to data block 0; \
      one below 0 is expected
      """),
    "the pool has no data blocks, though its metadata snapshot has": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: thin block 6 is mapped to data block 0; \
      one below 0 is expected
      """),
    "the pool has no metadata blocks": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the pool has no metadata blocks; at \
      least 1 is expected
      """),
    "the pool needs a check": Words(
      """
      cannot use the metadata, FOLDER/metadata.img, block 0: the pool is marked \
      needs_check
      """,
      hint: """
        repair it with thin_check and thin_repair, or give --ignore-needs-check to read the \
        metadata snapshot all the same
        """),
    "the pool's time does not fit 24 bits": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the snapshot counter is 16777216, above \
      the 16777215 that mappings can hold
      """),
    "the root of a tree is internal and has no entries": Words(
      """
      bad metadata, FOLDER/metadata.img, block 1: an internal node has no entries; at \
      least 1 is expected
      """),
    "the root of the top-level tree has 4 Gi entries": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node has 4294967295 entries; at \
      most 252 is expected
      """),
    "the root of the top-level tree has a wrong checksum": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the checksum is 0x3659b533; 0x4f45c96f \
      is expected of a btree node
      """),
    "the root of the top-level tree has an unknown flag": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node's flags are 6; 1 or 2 is \
      expected
      """),
    "the root of the top-level tree has more entries than room": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node has 253 entries; at most 252 \
      is expected
      """),
    "the root of the top-level tree has room for 4 Gi entries": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node has room for 4294967295 \
      entries; 1 to 254 is expected
      """),
    "the root of the top-level tree has room for more entries than fit": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node has room for 255 entries; 1 to \
      254 is expected
      """),
    "the root of the top-level tree has room for no entry": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node has room for 0 entries; 1 to \
      254 is expected
      """),
    "the root of the top-level tree has values of 16 bytes": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node's values have 16 bytes; 8 is \
      expected
      """),
    "the root of the top-level tree has values of 4 GiB": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node's values have 4294967295 \
      bytes; 8 is expected
      """),
    "the root of the top-level tree has values of no bytes": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node's values have 0 bytes; 8 is \
      expected
      """),
    "the root of the top-level tree is internal and leaf at once": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node's flags are 3; 1 or 2 is \
      expected
      """),
    "the root of the top-level tree is neither internal nor leaf": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node's flags are 0; 1 or 2 is \
      expected
      """),
    "the root of the top-level tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 1: the last key is 114, above the 4 that \
      the parent allows
      """),
    "the root of the top-level tree says it is another block": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the node says it is block 26; 25 is \
      expected
      """),
    "the superblock has an unknown incompatible feature": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the incompatible-feature flags are 0x10; \
      0 is expected
      """),
    "the superblock is checksummed as a node": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: it is a btree node; a superblock is \
      expected
      """),
    "the superblock says it is another block": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the superblock says it is block 1; 0 is \
      expected
      """),
    "the superblock's checksum is wrong": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the checksum is 0x9d0e6eb4; 0x1bcbac16 \
      is expected of a superblock
      """),
    "the superblock's magic is wrong": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: not the metadata of a thin pool
      """, hint: whereMetadataIs),
    "the superblock's unused rest does not fit its checksum": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the checksum is 0x9d0e6eb4; 0x1ff855cc \
      is expected of a superblock
      """),
    "the superblock's version is 0": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the superblock's version is 0; 1 or 2 is \
      expected
      """),
    "the superblock's version is 3": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: the superblock's version is 3; 1 or 2 is \
      expected
      """),
    "the top-level root is outside": Words(
      """
      bad metadata, FOLDER/metadata.img, block 0: it leads to block 47; a node in 1 to 46 \
      is expected
      """),
    "the top-level tree has a key beyond 24 bits": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: the device id is 16777216; at most \
      16777215 is expected
      """),
    "the top-level tree has equal keys": Words(
      """
      bad metadata, FOLDER/metadata.img, block 25: key 5 follows key 5; rising keys are \
      expected
      """),
    "the two trees name another device differently": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: the details tree has other devices (3) \
      than the mapping tree (3); the same are expected
      """),
    "the wanted id is the highest there can be": Words(
      "no device 16777215 in the metadata, FOLDER/metadata.img: it has 3 others",
      hint: "they are listed by: thin-merge devices --metadata FOLDER/metadata.img"),
    "node 0 at level 0 of the mapping tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 1: data block 0 is mapped twice, the second \
      time by thin block 114; once is expected within a device
      """),
    "node 0 at level 1 of the mapping tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 3: an internal node where a leaf is expected: \
      not all leaves are equally deep
      """),
    "node 0 at level 2 of the mapping tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 5: an internal node where a leaf is expected: \
      not all leaves are equally deep
      """),
    "node 0 at level 3 of the mapping tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 8: it leads to block 0; a node in 1 to 46 \
      is expected
      """),
    "the last leaf of the mapping tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 17: an internal node where a leaf is \
      expected: not all leaves are equally deep
      """),
    "the root of the details tree is of the other kind": Words(
      """
      bad metadata, FOLDER/metadata.img, block 26: the node's values have 24 bytes; 8 is \
      expected
      """),
  ]
}

extension Damage {
  /// A pool that was spoiled so, with an origin.
  fileprivate func spoiledPool() throws -> PoolOnDisk {
    var image = pool.build()
    _ = damage(&image)
    return try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
  }
}

@Suite("Errors: what is wrong with the metadata", .waitsForPrograms)
struct MetadataErrorTests {
  @Test("in these words", arguments: WhatIsWrongWithTheMetadata.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }
}
