import Fixtures
import MergeEngine
import Testing

@Suite("Checksums: known answers")
struct ChecksumTests {
  private static let digits = Array("123456789".utf8)

  private func crc32c(_ bytes: [UInt8]) -> UInt32 {
    CRC32C.checksum(of: RawSpan(_elements: bytes.span))
  }

  @Test("the CRC-32C of 123456789 is the published value")
  func crc32cOfDigits() {
    #expect(crc32c(Self.digits) == 0xE306_9283)
    #expect(crc32c([UInt8]()) == 0)
  }

  @Test("the CRC-64/ECMA-182 of 123456789 is the known value")
  func crc64OfDigits() {
    var crc = CRC64()
    #expect(crc.value == 0)
    crc.update(RawSpan(_elements: Self.digits.span))
    #expect(crc.value == 0x6C40_DF5F_0B49_7347)
  }

  @Test("a checksum computed over two pieces equals the checksum of the whole")
  func pieces() {
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    var whole = CRC64()
    whole.update(RawSpan(_elements: bytes.span))
    for cut in 0...bytes.count {
      var pieces32 = CRC32C()
      var crc64 = CRC64()
      for piece in [Array(bytes[..<cut]), Array(bytes[cut...])] {
        pieces32.update(RawSpan(_elements: piece.span))
        crc64.update(RawSpan(_elements: piece.span))
      }
      #expect(pieces32.value == crc32c(bytes), "cut at \(cut)")
      #expect(crc64.value == whole.value, "cut at \(cut)")
    }
  }

  @Test("the CRC-32C of random bytes matches the reference implementation")
  func reference() {
    let seed = Seed.current
    var generator = seed.generator
    for byteCount in [1, 2, 3, 7, 8, 9, 63, 64, 65, 511, 4092, 5000] {
      let bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(
        crc32c(bytes) == ~ReferenceCRC32C.register(over: bytes),
        "\(byteCount) bytes; \(seed)")
    }
  }
}

@Suite("Checksums: metadata blocks")
struct BlockChecksumTests {
  @Test(
    "a zero-filled block of each kind has the known checksum",
    arguments: [
      (.superblock, 0x58CF_D397), (.btreeNode, 0x58CC_7E82), (.spaceMapBitmap, 0x58CE_0B1A),
      (.spaceMapIndex, 0x58CF_D54F),
    ] as [(BlockKind, UInt32)])
  func zeroes(kind: BlockKind, checksum: UInt32) {
    expectProven(BlockBytes(), kind, checksum: checksum)
  }

  @Test("a sample superblock has the known checksum")
  func superblock() {
    var block = BlockBytes()
    for (byteOffset, number) in [
      (32, 27_022_010), (48, 7), (56, 38), (64, 2048), (72, 3), (80, 35), (88, 6), (192, 16_384),
      (200, 13), (208, 39), (216, 2), (320, 32), (328, 34), (344, 16_384),
    ] as [(Int, UInt64)] { block.set(number, at: byteOffset) }
    for (byteOffset, number) in [(40, 2), (44, 3), (336, 128), (340, 8)] as [(Int, UInt32)] {
      block.set(number, at: byteOffset)
    }
    expectProven(block, .superblock, checksum: 0xBDC4_95B9)
  }

  @Test("a sample B-tree leaf has the known checksum")
  func leaf() {
    var block = BlockBytes()
    for (byteOffset, number) in [(4, 2), (16, 2), (20, 252), (24, 8)] as [(Int, UInt32)] {
      block.set(number, at: byteOffset)
    }
    for (byteOffset, number) in [(8, 33), (32, 5), (40, 6), (2056, 0x100_0003)]
      as [(Int, UInt64)]
    { block.set(number, at: byteOffset) }
    expectProven(block, .btreeNode, checksum: 0x9D86_FE72)
  }

  /// Expects the checksum to be valid only for this kind of block and only for these bytes.
  private func expectProven(_ unsealed: BlockBytes, _ kind: BlockKind, checksum: UInt32) {
    var block = unsealed
    block.set(checksum, at: 0)
    for other in BlockKind.allCases {
      #expect((fault(block, as: other) == nil) == (other == kind), "as \(other)")
    }
    // The fault reports the block's actual kind rather than a bad checksum.
    let other: BlockKind = kind == .btreeNode ? .superblock : .btreeNode
    #expect(fault(block, as: other)?.reason.hasPrefix("it is a ") == true)
    for byteOffset in stride(from: 0, to: BlockKind.blockByteCount, by: 17) {
      var damaged = block
      damaged.bytes[byteOffset] ^= 0x10
      #expect(fault(damaged, as: kind) != nil, "byte \(byteOffset)")
    }
  }

  private func fault(_ block: BlockBytes, as kind: BlockKind) -> MetadataFault? {
    do throws(MetadataFault) {
      try kind.check(RawSpan(_elements: block.bytes.span), of: MetadataBlock(0))
      return nil
    } catch {
      return error
    }
  }
}
