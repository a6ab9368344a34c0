package import Foundation

/// Content in which every 512-byte sector contains its device and its position.
package struct SectorContent: Sendable {
  /// The devices whose sectors can be distinguished.
  package enum Source: UInt8, Sendable {
    case data = 0xDA
    case origin = 0x02
  }

  package static let sectorByteCount = 512

  package var source: Source
  package var seed: UInt16

  package init(source: Source, seed: UInt16) {
    self.source = source
    self.seed = seed
  }

  /// Returns the bytes of a range of the device.
  ///
  /// - Precondition: The range starts at a sector.
  package func bytes(in range: Range<Int>) -> Data {
    precondition(range.lowerBound % Self.sectorByteCount == 0, "content is made by sectors")
    let firstSector = range.lowerBound / Self.sectorByteCount
    let sectorCount = (range.count + Self.sectorByteCount - 1) / Self.sectorByteCount
    let wordsPerSector = Self.sectorByteCount / 8
    let prefix = UInt64(source.rawValue) << 56 | UInt64(seed) << 40
    // SAFETY: Each sector initializes its own 64 words, and together they fill the capacity.
    let words = unsafe [UInt64](unsafeUninitializedCapacity: sectorCount * wordsPerSector) {
      buffer, initializedCount in
      guard let base = buffer.baseAddress else { return }
      for sector in 0..<sectorCount {
        let tag = prefix | UInt64(firstSector + sector)
        unsafe (base + sector * wordsPerSector).initialize(
          repeating: tag.littleEndian, count: wordsPerSector)
      }
      initializedCount = sectorCount * wordsPerSector
    }
    // SAFETY: The bytes are copied before the array's storage is released.
    let bytes = unsafe words.withUnsafeBytes { unsafe Data($0) }
    return bytes.prefix(range.count)
  }
}

/// A file that is created as one hole and then written in places.
package struct SparseFile {
  private let handle: FileHandle

  package init(creating path: String, byteCount: Int) throws {
    try Data().write(to: URL(fileURLWithPath: path))
    handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try handle.truncate(atOffset: UInt64(byteCount))
  }

  package func write(_ bytes: Data, at byteOffset: Int) throws {
    try handle.seek(toOffset: UInt64(byteOffset))
    try handle.write(contentsOf: bytes)
  }

  package func close() throws { try handle.close() }
}
