import Fixtures
import MergeEngine

/// The content of a simulated device, stored sparsely so that even terabytes take little memory.
///
/// A piece of consecutive ``SectorContent`` sectors, as in a whole source block, is stored as the
/// name of its first sector. Any other piece is stored as bytes.
struct SparseContent {
  /// The content of pieces that were never written.
  enum Base {
    case zeros
    /// Named sectors up to `byteCount`, then zeros.
    case sectors(SectorContent, byteCount: UInt64)
    /// Bytes from offset 0, then zeros.
    case bytes([UInt8])
  }

  private enum Piece: Equatable {
    /// A run of named sectors, given by the first 8 bytes.
    case named(UInt64)
    case bytes([UInt8])
  }

  static let pieceByteCount = 64 << 10
  private static let sectorByteCount = SectorContent.sectorByteCount

  var byteCount: UInt64
  private let base: Base
  private var pieces: [UInt64: Piece] = [:]

  init(byteCount: UInt64, base: Base) {
    self.byteCount = byteCount
    self.base = base
  }

  /// Returns `count` bytes at an offset, even past the end of the device.
  func bytes(at byteOffset: UInt64, count: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    forEachPiece(byteOffset, count) { index, range in
      switch pieces[index] ?? piece(index) {
      case .named(let word):
        result += Self.sectors(word, range)
      case .bytes(let bytes):
        result += bytes[range]
      }
    }
    return result
  }

  mutating func write(_ bytes: [UInt8], at byteOffset: UInt64) {
    var done = 0
    var changes: [(index: UInt64, range: Range<Int>)] = []
    forEachPiece(byteOffset, bytes.count) { index, range in changes.append((index, range)) }
    for (index, range) in changes {
      let part = bytes[done..<done + range.count]
      done += range.count
      if range.count == Self.pieceByteCount {
        pieces[index] = Self.piece(Array(part))
        continue
      }
      var whole: [UInt8]
      switch pieces[index] ?? piece(index) {
      case .named(let word): whole = Self.sectors(word, 0..<Self.pieceByteCount)
      case .bytes(let kept): whole = kept
      }
      // Removing the entry first lets the bytes change in place.
      pieces[index] = nil
      whole.replaceSubrange(range, with: part)
      pieces[index] = .bytes(whole)
    }
  }

  /// Grows the device, exposing more base content, or shrinks it and zeroes written pieces past the
  /// new end.
  mutating func resize(to newByteCount: UInt64) {
    let cut = newByteCount / UInt64(Self.pieceByteCount)
    if newByteCount < byteCount {
      for index in pieces.keys.filter({ $0 >= cut }) {
        let start = index * UInt64(Self.pieceByteCount)
        let kept = index == cut ? bytes(at: start, count: Int(newByteCount - start)) : []
        pieces[index] = .bytes(
          kept + [UInt8](repeating: 0, count: Self.pieceByteCount - kept.count))
      }
    }
    byteCount = newByteCount
  }

  /// Returns the offset of the first byte in `range` that differs from `other`, or nil.
  ///
  /// - `otherByteOffset`: the start of the corresponding range in `other`.
  ///
  /// - Precondition: Both offsets have the same remainder modulo the piece size.
  func firstDifference(
    _ range: ByteRange, from other: SparseContent, at otherByteOffset: UInt64
  ) -> UInt64? {
    let unit = UInt64(Self.pieceByteCount)
    precondition(range.start % unit == otherByteOffset % unit)
    var place = range.start
    while place < range.end {
      let end = min(range.end, place.roundedDown(toMultipleOf: unit) + unit)
      let otherPlace = otherByteOffset + (place - range.start)
      // Pieces with the same name have the same bytes.
      if !hasSamePiece(place / unit, as: other, otherPlace / unit) {
        let found = bytes(at: place, count: Int(end - place))
        let expected = other.bytes(at: otherPlace, count: Int(end - place))
        if let first = Self.firstDifference(found, expected) { return place + UInt64(first) }
      }
      place = end
    }
    return nil
  }

  /// Returns the index of the first byte that differs, found by bisection.
  ///
  /// Comparing byte by byte would be slow.
  private static func firstDifference(_ found: [UInt8], _ expected: [UInt8]) -> Int? {
    let one = RawSpan(_elements: found.span)
    let other = RawSpan(_elements: expected.span)
    guard !one.hasSameBytes(as: other) else { return nil }
    var first = 0
    var count = found.count
    while count > 1 {
      let half = first..<first + count / 2
      if one.extracting(half).hasSameBytes(as: other.extracting(half)) {
        first += half.count
        count -= half.count
      } else {
        count = half.count
      }
    }
    return first
  }

  private func hasSamePiece(_ index: UInt64, as other: SparseContent, _ otherIndex: UInt64) -> Bool
  {
    guard case .named(let word) = pieces[index] ?? piece(index),
      case .named(let otherWord) = other.pieces[otherIndex] ?? other.piece(otherIndex)
    else { return false }
    return word == otherWord
  }

  /// The indices of all pieces ever written, in ascending order.
  var writtenPieces: [UInt64] { pieces.keys.sorted() }

  private func forEachPiece(
    _ byteOffset: UInt64, _ count: Int, _ body: (UInt64, Range<Int>) -> Void
  ) {
    var place = byteOffset
    let end = byteOffset + UInt64(count)
    while place < end {
      let index = place / UInt64(Self.pieceByteCount)
      let first = Int(place % UInt64(Self.pieceByteCount))
      let last = min(Self.pieceByteCount, first + Int(end - place))
      body(index, first..<last)
      place += UInt64(last - first)
    }
  }

  /// Returns the content of a piece before any write.
  private func piece(_ index: UInt64) -> Piece {
    let start = index * UInt64(Self.pieceByteCount)
    switch base {
    case .zeros:
      return .bytes([UInt8](repeating: 0, count: Self.pieceByteCount))
    case .sectors(let content, let byteCount):
      let word = Self.word(of: content, at: start)
      let left = byteCount > start ? byteCount - start : 0
      if left >= UInt64(Self.pieceByteCount) { return .named(word) }
      let named = left == 0 ? [] : Self.sectors(word, 0..<Int(left))
      return .bytes(named + [UInt8](repeating: 0, count: Self.pieceByteCount - Int(left)))
    case .bytes(let bytes):
      var part = Array(bytes.dropFirst(Int(start)).prefix(Self.pieceByteCount))
      part += [UInt8](repeating: 0, count: Self.pieceByteCount - part.count)
      return .bytes(part)
    }
  }

  /// Returns the 8-byte word that fills the sector of `content` at this offset.
  private static func word(of content: SectorContent, at byteOffset: UInt64) -> UInt64 {
    UInt64(content.source.rawValue) << 56 | UInt64(content.seed) << 40
      | byteOffset / UInt64(sectorByteCount)
  }

  /// Returns a range of the bytes of a piece whose first sector is filled with `word`.
  private static func sectors(_ word: UInt64, _ range: Range<Int>) -> [UInt8] {
    let first = range.lowerBound / sectorByteCount
    let content = content(of: word)
    let start = Int(word & 0xFF_FFFF_FFFF) + first
    let skipped = range.lowerBound % sectorByteCount
    let bytes = content.bytes(
      in: start * sectorByteCount..<start * sectorByteCount + skipped + range.count)
    return [UInt8](bytes.dropFirst(skipped))
  }

  private static func content(of word: UInt64) -> SectorContent {
    SectorContent(
      source: SectorContent.Source(rawValue: UInt8(word >> 56)) ?? .data,
      seed: UInt16(truncatingIfNeeded: word >> 40))
  }

  /// Returns the bytes as a whole piece, stored by name if possible.
  private static func piece(_ bytes: [UInt8]) -> Piece {
    let word = RawSpan(_elements: bytes.span).littleEndian(at: 0, as: UInt64.self)
    guard SectorContent.Source(rawValue: UInt8(word >> 56)) != nil else { return .bytes(bytes) }
    let isNamed = firstDifference(sectors(word, 0..<pieceByteCount), bytes) == nil
    return isNamed ? .named(word) : .bytes(bytes)
  }
}
