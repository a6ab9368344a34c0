/// Two checksums of what a merge will do: the same for the same mappings, whatever tree holds them.
///
/// It proves the mappings, never the content of the blocks.
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

/// Makes a ``Fingerprint`` of maximal runs and, at the end, of the header fields.
///
/// The input of both checksums is, little endian: 24 bytes for each run (first thin block, first data
/// block, block count), then block size in bytes (8 bytes), device id (4), effective end in bytes
/// (8), past-end policy (1, ``PastEndPolicy/code``).
struct FingerprintBuilder {
  private static let batchCount = 3 * 1024

  private var crc64 = CRC64()
  private var crc32c = CRC32C()
  /// Numbers that were not checksummed yet.
  private var numbers: [UInt64] = []

  init() { numbers.reserveCapacity(Self.batchCount) }

  @inline(__always)
  mutating func append(_ run: MappingRun) {
    numbers.append(run.thinBlock.rawValue.littleEndian)
    numbers.append(run.dataBlock.rawValue.littleEndian)
    numbers.append(run.blockCount.littleEndian)
    if numbers.count >= Self.batchCount { flush() }
  }

  private mutating func flush() {
    // Taken out and put back: the checksums cannot be changed while a span of `numbers` is looked at.
    var batch: [UInt64] = []
    swap(&batch, &numbers)
    crc64.update(RawSpan(_elements: batch.span))
    crc32c.update(RawSpan(_elements: batch.span))
    batch.removeAll(keepingCapacity: true)
    swap(&batch, &numbers)
  }

  mutating func finish(
    dataBlockByteCount: UInt64, deviceID: UInt32, endByteOffset: UInt64, pastEnd: PastEndPolicy
  ) -> Fingerprint {
    flush()
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
