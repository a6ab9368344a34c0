internal import CISAL

/// CRC-64/ECMA-182: polynomial 0x42F0E1EBA9EA3693, not reflected, no inversions.
package struct CRC64 {
  private var register: UInt64 = 0

  package init() {}

  /// The checksum of all bytes given so far.
  package var value: UInt64 { register }

  package mutating func update(_ bytes: RawSpan) {
    // SAFETY: the pointer is used only inside the closure, for exactly the span's bytes.
    unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      // The library inverts on the way in and on the way out; this definition does not.
      register = unsafe ~crc64_ecma_norm(
        ~register, base.assumingMemoryBound(to: UInt8.self), UInt64(buffer.count))
    }
  }
}
