internal import Glibc

/// Decodes all integers read from disk.
extension RawSpan {
  /// Returns the little-endian integer at `byteOffset`, at any alignment.
  ///
  /// - Precondition: The number lies within the span.
  @inline(__always)
  package func littleEndian<Number: FixedWidthInteger & BitwiseCopyable>(
    at byteOffset: Int, as type: Number.Type
  ) -> Number {
    // SAFETY: the load is bounds-checked by the standard library, and every bit pattern is a
    // number.
    Number(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: byteOffset, as: type))
  }

  /// Returns the little-endian integers from `byteOffset` on, without copying them.
  ///
  /// - Precondition: The numbers lie within the span, and the first is at a multiple of 8 in
  ///   memory.
  @_lifetime(copy self)
  package func littleEndianNumbers(at byteOffset: Int, count: Int) -> Span<UInt64> {
    #if _endian(big)
      #error("the numbers must be turned round")
    #endif
    return Span(_bytes: extracting(byteOffset..<byteOffset + count * MemoryLayout<UInt64>.stride))
  }

  /// Returns a copy of `byteCount` bytes.
  ///
  /// - Precondition: The bytes lie within the span.
  package func copiedBytes(at byteOffset: Int, count byteCount: Int) -> [UInt8] {
    let part = extracting(byteOffset..<byteOffset + byteCount)
    return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
      // SAFETY: both sides have `byteCount` bytes and are distinct.
      unsafe part.withUnsafeBytes {
        unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0)
      }
      initializedCount = byteCount
    }
  }
}

extension RawSpan {
  /// Returns true if both spans contain the same bytes.
  ///
  /// - Precondition: Both spans have the same byte count.
  package func hasSameBytes(as other: RawSpan) -> Bool {
    precondition(byteCount == other.byteCount)
    // SAFETY: both pointers are used only inside the closures, for exactly the spans' bytes.
    return unsafe withUnsafeBytes { left in
      unsafe other.withUnsafeBytes { right in
        guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else {
          return true
        }
        return unsafe memcmp(leftBase, rightBase, left.count) == 0
      }
    }
  }
}
