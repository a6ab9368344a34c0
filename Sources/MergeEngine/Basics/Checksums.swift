internal import CISAL

/// Standard CRC-32C (Castagnoli): register initialized to ones, result inverted.
package struct CRC32C {
  private var register: UInt32 = 0xFFFF_FFFF

  package init() {}

  /// The checksum of all bytes given so far.
  package var value: UInt32 { ~register }

  package mutating func update(_ bytes: RawSpan) {
    // SAFETY: the pointer is used only inside the closure, for exactly the span's bytes; the
    // routine only reads (its parameter lacks a const). It takes a 32-bit length, hence the pieces.
    unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var done = 0
      while done < buffer.count {
        let pieceByteCount = min(buffer.count - done, 1 << 30)
        let piece = unsafe UnsafeMutableRawPointer(mutating: base + done)
        register = unsafe crc32_iscsi(
          piece.assumingMemoryBound(to: UInt8.self), CInt(pieceByteCount), register)
        done += pieceByteCount
      }
    }
  }

  package static func checksum(of bytes: RawSpan) -> UInt32 {
    var crc = CRC32C()
    crc.update(bytes)
    return crc.value
  }
}

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
      // The library inverts the register at the start and at the end; this definition does not.
      register = unsafe ~crc64_ecma_norm(
        ~register, base.assumingMemoryBound(to: UInt8.self), UInt64(buffer.count))
    }
  }
}
