/// Two checksums of a merge's mappings, independent of the tree that contains the mappings.
///
/// A fingerprint identifies the mappings but not the content of the blocks.
package struct Fingerprint: Equatable, Sendable, CustomStringConvertible {
  package var crc64: UInt64
  package var crc32c: UInt32

  package init(crc64: UInt64, crc32c: UInt32) {
    self.crc64 = crc64
    self.crc32c = crc32c
  }

  package var description: String {
    func hex(_ number: UInt64, digitCount: Int) -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: digitCount - digits.count) + digits
    }
    return hex(crc64, digitCount: 16) + "-" + hex(UInt64(crc32c), digitCount: 8)
  }
}

/// Computes a ``Fingerprint`` from maximal runs of mappings, followed by header fields.
///
/// Both checksums have the same little-endian input: 24 bytes for each run (first thin block, first
/// data block, block count), then the block size in bytes (8 bytes), the device ID (4), the
/// effective end in bytes (8), and the past-end policy (1, ``PastEndPolicy/code``).
struct FingerprintBuilder {
  private var crc64 = CRC64()
  private var crc32c = CRC32C()

  mutating func append(_ runs: Span<MappingRun>) {
    let bytes = MappingRun.littleEndianBytes(of: runs)
    crc64.update(bytes)
    crc32c.update(bytes)
  }

  mutating func finish(
    dataBlockByteCount: UInt64, deviceID: UInt32, endByteOffset: UInt64, pastEnd: PastEndPolicy
  ) -> Fingerprint {
    var header = ByteWriter()
    header.append(dataBlockByteCount)
    header.append(deviceID)
    header.append(endByteOffset)
    header.append(pastEnd.code)
    crc64.update(RawSpan(_elements: header.bytes.span))
    crc32c.update(RawSpan(_elements: header.bytes.span))
    return Fingerprint(crc64: crc64.value, crc32c: crc32c.value)
  }
}
