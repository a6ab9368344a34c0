import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Errors: unusable metadata", .waitsForPrograms)
struct MetadataErrorTests {
  @Test(
    "unusable pool metadata of every kind causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  /// One situation for each kind of metadata damage that has a test, plus some others.
  static let situations = ofDamage + others

  private static let ofDamage = damages.map { damage in
    ErrorSituation(damage.name, codes[damage.name] ?? "no code is expected", .refused) {
      let pool = try damage.spoiledPool()
      return try ReportedError(pool.merge(damage.devID, damage.options))
        .naming([(pool.folder.path, "FOLDER")])
    }
  }

  private static func isOfOneTree(_ damage: Damage) -> Bool {
    damage.name.contains("of the top-level tree") || damage.name.hasSuffix("of the other kind")
  }

  /// Every kind of metadata damage, except that damage to arbitrary nodes is limited to one tree.
  private static let damages =
    Damage.ofSuperblocks + Damage.ofBlockSize
    + Damage.ofAnyNode.filter(isOfOneTree) + Damage.ofKeys
    + Damage.ofShape + Damage.ofDevices

  private static let others: [ErrorSituation] = [
    ErrorSituation(
      "another metadata snapshot is held than the wanted one", "other-metadata-snapshot", .refused
    ) {
      let pool = try PoolOnDisk(
        PoolImageBuilder.sound.build(), origin: PoolImageBuilder.origin, fillingData: false)
      return try ReportedError(pool.merge(1, ["--metadata-snap", "3"]))
        .naming([(pool.folder.path, "FOLDER")])
    },
    ErrorSituation(
      "metadata and data device are swapped", "not-metadata", .refused,
      command: { merge in
        swap(&merge.metadata, &merge.data)
        return try merge.merge()
      }),
    ofValue(
      "a block of the metadata cannot be read", "metadata-unreadable",
      .cannotRead(MetadataBlock(7), result: -5)),
    ofValue(
      "a block of the metadata is not there", "metadata-cut-short",
      .cannotRead(MetadataBlock(7), result: 0)),
    ofOtherBlock(.spaceMapBitmap, "a space-map bitmap"),
    ofOtherBlock(.spaceMapIndex, "a space-map index"),
    ErrorSituation("the metadata blocks have another size", "metadata-superblock-invalid", .refused)
    {
      var image = PoolImageBuilder.sound.build()
      image.editSuperblock(.live) { $0.metadataBlockSectorCount = 16 }
      let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
      return try ReportedError(pool.merge(1)).followed().naming([(pool.folder.path, "FOLDER")])
    },
  ]

  /// Returns a situation in which a block of another kind, with a valid checksum for that kind,
  /// replaces a node.
  private static func ofOtherBlock(_ kind: BlockKind, _ inWords: String) -> ErrorSituation {
    ErrorSituation("\(inWords) is in the place of a node", "metadata-wrong-block-kind", .refused) {
      var block = [UInt8](repeating: 0, count: BlockKind.blockByteCount)
      let sum = ~JournalSample.checksum(Array(block[4...])) ^ kind.rawValue
      for index in 0..<4 { block[index] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(index))) }
      do throws(MetadataFault) {
        try BlockKind.btreeNode.check(RawSpan(_elements: block.span), of: MetadataBlock(7))
      } catch {
        return ReportedError(error.refusal(path: "FOLDER/metadata.img"))
      }
      throw SupportError("believed")
    }
  }

  /// Returns a situation that consists of the engine's error for the given metadata fault.
  private static func ofValue(
    _ name: String, _ code: String, _ fault: MetadataFault
  ) -> ErrorSituation {
    ErrorSituation(name, code, .refused) {
      ReportedError(fault.refusal(path: "FOLDER/metadata.img"))
    }
  }

  /// The expected error code for each kind of metadata damage.
  private static let codes = Dictionary(
    uniqueKeysWithValues: damagesByCode.flatMap { code, names in names.map { ($0, code) } })

  private static let damagesByCode: [String: [String]] = [
    "data-too-short": [
      "the data file ends one byte before the last block that is mapped does",
      "the data file is empty",
    ],
    "metadata-wrong-block-kind": [
      "the superblock is checksummed as a node",
      "the held root points at a node",
      "the held copy's magic is wrong",
    ],
    "metadata-checksum-wrong": [
      "the superblock's checksum is wrong",
      "the superblock's unused rest does not fit its checksum",
      "the held copy's checksum is wrong",
      "the root of the top-level tree has a wrong checksum",
      "a child is a block that was never written",
    ],
    "metadata-cut-short": [
      "the metadata ends behind the superblock",
      "the metadata ends before the last block of the trees",
      "the metadata is one block shorter than its space map says",
    ],
    "metadata-devices-disagree": [
      "the device is only in the top-level tree",
      "the device is only in the details tree",
    ],
    "metadata-count-wrong": [
      "the details count one mapping more than there are",
      "the details count one mapping fewer than there are",
      "a mapping is missing from a leaf",
    ],
    "metadata-keys-invalid": [
      "the root of the top-level tree is of the other kind",
      "a leaf has equal keys",
      "a leaf has descending keys",
      "an internal node has equal keys",
      "an internal node has descending keys",
      "a leaf's first key is below its parent's key",
      "a parent's first key is above its leaf's first key",
      "a leaf's last key belongs to its neighbour",
      "a leaf's last key belongs to its parent's neighbour",
      "the top-level tree has equal keys",
    ],
    "metadata-mapped-twice": [
      "node 0 at level 0 of the mapping tree is of the other kind",
      "a data block is mapped twice in one leaf",
      "a data block is mapped twice, in two leaves and at different times",
      "a data block is mapped twice, behind leaves that are added up",
      "a data block is mapped twice, and the details count one mapping more",
    ],
    "metadata-mapping-invalid": [
      "the pool has no data blocks, but mappings",
      "the pool has no data blocks, though its metadata snapshot has",
      "the byte offset of a thin block overflows",
      "a data block is the first past the pool's end",
      "a data block is the last that 40 bits can name",
    ],
    "metadata-misplaced": [
      "the superblock says it is another block",
      "the held copy says it is another block",
      "the root of the top-level tree says it is another block",
    ],
    "metadata-node-invalid": [
      "the root of the top-level tree is neither internal nor leaf",
      "the root of the top-level tree is internal and leaf at once",
      "the root of the top-level tree has an unknown flag",
      "the root of the top-level tree has values of no bytes",
      "the root of the top-level tree has values of 16 bytes",
      "the root of the top-level tree has values of 4 GiB",
      "the root of the top-level tree has room for no entry",
      "the root of the top-level tree has room for more entries than fit",
      "the root of the top-level tree has room for 4 Gi entries",
      "the root of the top-level tree has more entries than room",
      "the root of the top-level tree has 4 Gi entries",
      "the root of the details tree is of the other kind",
      "an internal node has no entries",
      "the root of a tree is internal and has no entries",
      "a child is an unlike block of a right checksum",
    ],
    "not-metadata": [
      "the metadata is empty",
      "the metadata is all zeroes",
      "the metadata is a text file",
      "the metadata ends inside the superblock",
      "the superblock's magic is wrong",
    ],
    "metadata-snapshot-invalid": [
      "the held root is the number of metadata blocks",
      "the held root is far outside",
      "the held copy holds a root itself",
      "the held copy is from the future",
      "the held copy has another block size",
    ],
    "metadata-superblock-invalid": [
      "the superblock's version is 0",
      "the superblock's version is 3",
      "the superblock has an unknown incompatible feature",
      "the pool's time does not fit 24 bits",
      "the pool has no metadata blocks",
      "the data device's byte count overflows",
      "the held copy's version is 3",
      "the held copy has an unknown incompatible feature",
      "data blocks are of 0 sectors",
      "data blocks are of 64 sectors",
      "data blocks are of 129 sectors",
      "data blocks are of 2097280 sectors",
      "data blocks are of 4294967295 sectors",
    ],
    "metadata-tree-invalid": [
      "node 0 at level 1 of the mapping tree is of the other kind",
      "node 0 at level 2 of the mapping tree is of the other kind",
      "node 0 at level 3 of the mapping tree is of the other kind",
      "the last leaf of the mapping tree is of the other kind",
      "a child is block 0",
      "a child is the held copy",
      "a child is the first block past the end",
      "a child is past the end by far",
      "a child is past the space map's end but inside the file",
      "a node is its own child",
      "a node's child is the root above it",
      "a leaf is the child of two slots",
      "an empty leaf is the child of two slots",
      "a leaf hangs one level higher than the others",
      "a tree has 17 levels",
      "the top-level root is outside",
      "the details root is block 0",
      "the device's root is outside",
      "the device's root is the held copy",
    ],
    "no-metadata-snapshot": [
      "no metadata snapshot is held"
    ],
    "no-such-thin-device-id": [
      "no device has the wanted id",
      "the wanted id is the highest there can be",
    ],
    "pool-needs-check": [
      "the pool needs a check"
    ],
  ]
}

extension Damage {
  /// Returns an on-disk pool with this damage, together with an origin.
  fileprivate func spoiledPool() throws -> PoolOnDisk {
    var image = pool.build()
    _ = damage(&image)
    return try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
  }
}
