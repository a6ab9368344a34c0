import MergeEngine
import Testing

@Suite("Units: sets of ranges")
struct RangeSetTests {
  /// The number of positions in the exhaustive test, which encodes each set with one bit per
  /// position.
  private static let placeCount: UInt64 = 8

  @Test("inserting or removing any range in any small set matches a reference bitmap")
  func exhaustively() {
    var wrong: [String] = []
    for bits in 0..<(1 << Self.placeCount) as Range<UInt64> {
      let before = Self.set(bits)
      if Self.bits(before) != bits { wrong.append("building \(bits)") }
      for start in 0...Self.placeCount {
        for end in start...Self.placeCount {
          let mask = (start..<end).reduce(0) { $0 | 1 << $1 } as UInt64
          var inserted = before
          inserted.insert(ByteRange(start: start, end: end))
          var removed = before
          removed.remove(ByteRange(start: start, end: end))
          if !Self.isRight(inserted, bits | mask) {
            wrong.append("\(start)..<\(end) into \(bits): \(inserted.ranges)")
          }
          if !Self.isRight(removed, bits & ~mask) {
            wrong.append("\(start)..<\(end) out of \(bits): \(removed.ranges)")
          }
          let range = ByteRange(start: start, end: end)
          if !range.isEmpty, before.contains(range) != (bits & mask == mask) {
            wrong.append("\(start)..<\(end) in \(bits)")
          }
        }
      }
    }
    #expect(wrong.prefix(3) == [])
  }

  @Test("random ranges over a wider span match a reference bitmap")
  func random() {
    let seed = Seed.current
    var generator = seed.generator
    var set = RangeSet()
    var bitmap = [Bool](repeating: false, count: 500)
    for step in 1...2000 {
      let start = Int.random(in: 0..<bitmap.count, using: &generator)
      let end = min(bitmap.count, start + .random(in: 0...20, using: &generator))
      let range = ByteRange(start: UInt64(start), end: UInt64(end))
      let inserts = Bool.random(using: &generator)
      if inserts { set.insert(range) } else { set.remove(range) }
      for place in start..<end { bitmap[place] = inserts }
      guard step.isMultiple(of: 10) else { continue }
      let expected = bitmap.indices.filter { bitmap[$0] }
      #expect(set.ranges.flatMap { Int($0.start)..<Int($0.end) } == expected, "\(seed)")
      #expect(Self.isApart(set), "\(seed)")
    }
  }

  @Test("ranges near the maximum integer work the same as ranges of small integers")
  func largest() {
    var set = RangeSet()
    set.insert(ByteRange(start: .max - 1, end: .max))
    set.insert(ByteRange(start: 0, end: 1))
    #expect(set.byteCount == 2)
    set.insert(ByteRange(start: 1, end: .max - 1))
    #expect(set.ranges == [ByteRange(start: 0, end: .max)])
    set.remove(ByteRange(start: 0, end: .max))
    #expect(set.isEmpty && set.byteCount == 0)
  }

  private static func set(_ bits: UInt64) -> RangeSet {
    var set = RangeSet()
    for place in 0..<placeCount where bits >> place & 1 == 1 {
      set.insert(ByteRange(start: place, end: place + 1))
    }
    return set
  }

  private static func bits(_ set: RangeSet) -> UInt64 {
    set.ranges.reduce(0) { bits, range in
      (range.start..<range.end).reduce(bits) { $0 | 1 << $1 }
    }
  }

  private static func isRight(_ set: RangeSet, _ bits: UInt64) -> Bool {
    Self.bits(set) == bits && set.byteCount == UInt64(bits.nonzeroBitCount)
      && set.isEmpty == (bits == 0) && isApart(set)
  }

  /// Returns true if the ranges in the set are in ascending order, separated by gaps, and not
  /// empty.
  private static func isApart(_ set: RangeSet) -> Bool {
    zip(set.ranges, set.ranges.dropFirst()).allSatisfy { $0.end < $1.start }
      && set.ranges.allSatisfy { !$0.isEmpty }
  }
}

@Suite("Units: byte ranges")
struct ByteRangeTests {
  @Test("a range reports its byte count and whether it is empty")
  func counts() {
    #expect(ByteRange(start: 3, end: 10).byteCount == 7)
    #expect(!ByteRange(start: 3, end: 4).isEmpty)
    #expect(ByteRange(start: 3, end: 3).isEmpty)
    #expect(ByteRange(start: 0, end: .max).byteCount == .max)
  }

  @Test("a range that ends before its start cannot be created")
  func backwards() async {
    await #expect(processExitsWith: .failure) { _ = ByteRange(start: 4, end: 3) }
  }

  @Test("rounding down and up returns the nearest multiples on each side of a number")
  func rounding() {
    for unit in [1, 2, 3, 7, 512, 4096] as [UInt64] {
      for number in 0...(3 * unit) {
        let down = number.roundedDown(toMultipleOf: unit)
        let up = number.roundedUp(toMultipleOf: unit)
        #expect(down.isMultiple(of: unit) && down <= number && number - down < unit)
        #expect(up.isMultiple(of: unit) && up >= number && up - number < unit)
      }
    }
    let largest = UInt64.max - 4095
    #expect(UInt64.max.roundedDown(toMultipleOf: 4096) == largest)
    #expect((largest - 1).roundedUp(toMultipleOf: 4096) == largest)
  }
}
