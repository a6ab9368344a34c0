package import Foundation

/// The kinds of metadata block, each with the constant that salts its checksum.
package enum MetadataBlockKind: UInt32, Sendable {
  case superblock = 160_774
  case node = 121_107
  case bitmap = 240_779
  case metadataIndex = 160_478
}

/// The bytes of a metadata device, stored as little-endian words.
package struct MetadataImage: Sendable {
  package static let blockByteCount = 4096
  static let wordsPerBlock = blockByteCount / 8

  var words: [UInt64]

  package init(blockCount: Int) {
    words = [UInt64](repeating: 0, count: blockCount * Self.wordsPerBlock)
  }

  package var blockCount: Int { words.count / Self.wordsPerBlock }

  /// The whole image as bytes.
  package var data: Data {
    // SAFETY: The bytes are copied before the array's storage is released.
    unsafe words.withUnsafeBytes { unsafe Data($0) }
  }

  /// A copy of one block, for reading or editing.
  package subscript(block: Int) -> BlockBytes {
    get {
      let slice = words[(block * Self.wordsPerBlock)..<((block + 1) * Self.wordsPerBlock)]
      // SAFETY: The bytes are copied before the slice's storage is released.
      return BlockBytes(bytes: unsafe slice.withUnsafeBytes { unsafe [UInt8]($0) })
    }
    set {
      for index in 0..<Self.wordsPerBlock {
        words[block * Self.wordsPerBlock + index] = newValue.uint64(at: index * 8)
      }
    }
  }

  /// Returns the checksum that the block must have as a block of this kind.
  package func checksum(of block: Int, as kind: MetadataBlockKind) -> UInt32 {
    let range = (block * Self.wordsPerBlock)..<((block + 1) * Self.wordsPerBlock)
    // SAFETY: The slice is exactly one block and outlives the call.
    let register = unsafe words[range].withUnsafeBufferPointer {
      unsafe ReferenceCRC32C.register(overMetadataBlock: $0)
    }
    return register ^ kind.rawValue
  }

  /// Writes the valid checksum for a block of this kind into the block.
  package mutating func seal(_ block: Int, as kind: MetadataBlockKind) {
    let word = block * Self.wordsPerBlock
    words[word] = words[word] & ~0xFFFF_FFFF | UInt64(checksum(of: block, as: kind))
  }
}

/// The 4096 bytes of one metadata block, with little-endian access at any byte offset.
package struct BlockBytes: Sendable, Equatable {
  package var bytes: [UInt8]

  package init(bytes: [UInt8] = [UInt8](repeating: 0, count: MetadataImage.blockByteCount)) {
    self.bytes = bytes
  }

  package func uint32(at byteOffset: Int) -> UInt32 {
    bytes[byteOffset..<(byteOffset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  package func uint64(at byteOffset: Int) -> UInt64 {
    bytes[byteOffset..<(byteOffset + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  package mutating func set(_ value: UInt32, at byteOffset: Int) {
    for index in 0..<4 {
      bytes[byteOffset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
    }
  }

  package mutating func set(_ value: UInt64, at byteOffset: Int) {
    for index in 0..<8 {
      bytes[byteOffset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }
}
