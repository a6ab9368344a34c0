internal import CAIO
internal import Glibc

/// A bitmap with one bit per block, whose memory is allocated as bits are first set.
@safe package struct PagedBitmap: ~Copyable {
  private let bitCount: UInt64
  private let words: UnsafeMutablePointer<UInt64>
  private let slab: BufferSlab

  package init(bitCount: UInt64) throws(MergeError) {
    // Bits are set in no particular order, so with small pages every access would miss the TLB.
    slab = try BufferSlab(byteCount: Int(clamping: bitCount / 8 + 8), pages: .large)
    self.bitCount = bitCount
    // SAFETY: the slab is page-aligned, zero-filled, and lives as long as this value.
    unsafe words = slab.address(at: 0, count: slab.byteCount).assumingMemoryBound(to: UInt64.self)
  }

  /// Prefetches the memory of a bit that will be set soon.
  ///
  /// - Precondition: `index` is below the bit count.
  @inline(__always)
  package borrowing func expect(_ index: UInt64) {
    precondition(index < bitCount)
    // SAFETY: as in `insert`; nothing is read or written.
    unsafe caio_expect(words + Int(truncatingIfNeeded: index &>> 6))
  }

  /// Sets the bit at `index`; returns true if the bit was clear before.
  ///
  /// - Precondition: `index` is below the bit count.
  @inline(__always)
  package mutating func insert(_ index: UInt64) -> Bool {
    precondition(index < bitCount)
    let mask = 1 as UInt64 &<< (index & 63)
    // SAFETY: index / 64 is in bounds, given the precondition and the size allocated in init.
    let word = unsafe words + Int(truncatingIfNeeded: index &>> 6)
    let old = unsafe word.pointee
    unsafe word.pointee = old | mask
    return old & mask == 0
  }

  /// Sets `count` bits, starting at `first`.
  ///
  /// If any of the bits was already set, it is unspecified which of the other bits get set.
  ///
  /// - Precondition: `first + count` does not exceed the bit count.
  /// - Returns: The first bit that was already set; nil if all were clear.
  @inline(__always)
  package mutating func insert(_ first: UInt64, count: UInt64) -> UInt64? {
    if count == 1 { return insert(first) ? nil : first }
    return insertMany(first, count: count)
  }

  private mutating func insertMany(_ first: UInt64, count: UInt64) -> UInt64? {
    precondition(first <= bitCount && count <= bitCount - first)
    var index = first
    let end = first + count
    while index < end {
      let bit = index & 63
      let countInWord = min(64 - bit, end - index)
      let mask = (UInt64.max >> (64 - countInWord)) << bit
      // SAFETY: as in `insert`.
      let word = unsafe words + Int(index >> 6)
      let old = unsafe word.pointee
      if old & mask != 0 { return index - bit + UInt64((old & mask).trailingZeroBitCount) }
      unsafe word.pointee = old | mask
      index += countInWord
    }
    return nil
  }

  package borrowing func contains(_ index: UInt64) -> Bool {
    precondition(index < bitCount)
    // SAFETY: as in `insert`.
    return unsafe words[Int(truncatingIfNeeded: index >> 6)] & (1 << (index & 63)) != 0
  }
}

/// An array with one 32-bit integer per block; each page of memory is allocated when an integer is
/// first stored in that page.
@safe package struct PagedNumbers: ~Copyable {
  private let count: UInt64
  private let numbers: UnsafeMutablePointer<UInt32>
  private let slab: BufferSlab

  package init(count: UInt64) throws(MergeError) {
    slab = try BufferSlab(byteCount: Int(clamping: count) * 4)
    self.count = count
    // SAFETY: the slab is page-aligned, zero-filled, and lives as long as this value.
    unsafe numbers = slab.address(at: 0, count: slab.byteCount).assumingMemoryBound(to: UInt32.self)
  }

  /// The integer at `index`.
  ///
  /// - Precondition: `index` is less than the count, for both reading and writing.
  package subscript(index: UInt64) -> UInt32 {
    get {
      precondition(index < count)
      return unsafe numbers[Int(index)]
    }
    set {
      precondition(index < count)
      unsafe numbers[Int(index)] = newValue
    }
  }
}
