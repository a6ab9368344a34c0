/// A pseudo-random permutation of the numbers below a count, by number and without a table.
///
/// Numbers of as many bits as the count takes are mixed by steps that can each be undone (exclusive-or,
/// multiplication by an odd number, shift and exclusive-or), so that no two are mapped to the
/// same number; a result past the count is mixed again.
package struct Permutation: Sendable {
  private struct Round {
    var mask: UInt64
    var factor: UInt64
  }

  private let count: UInt64
  private let bits: UInt64
  private let shift: UInt64
  private var rounds = InlineArray<4, Round>(repeating: Round(mask: 0, factor: 1))

  /// Precondition: `count` is at least 1 and has at most 63 bits.
  package init(count: UInt64, seed: UInt64) {
    precondition(count >= 1 && count <= UInt64(Int64.max))
    self.count = count
    let bitCount = UInt64.bitWidth - (count - 1).leadingZeroBitCount
    bits = 1 << UInt64(bitCount) - 1
    shift = UInt64(bitCount / 2 + 1)
    var generator = SeededGenerator(seed: seed)
    for index in rounds.indices {
      rounds[index] = Round(mask: generator.next() & bits, factor: generator.next() | 1)
    }
  }

  /// The number in place of `number`.
  ///
  /// Precondition: `number` is below the count.
  package func callAsFunction(_ number: UInt64) -> UInt64 {
    precondition(number < count)
    var mixed = number
    repeat {
      for index in rounds.indices {
        mixed = (mixed ^ rounds[index].mask) &* rounds[index].factor & bits
        mixed ^= mixed &>> shift
      }
    } while mixed >= count
    return mixed
  }
}
