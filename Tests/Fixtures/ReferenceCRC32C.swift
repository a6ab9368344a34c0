/// CRC-32C written independently of the engine, so that fixtures and engine check each other.
package enum ReferenceCRC32C {
  private static let reflectedPolynomial: UInt32 = 0x82F6_3B78

  /// Eight tables of 256 entries: table `k` advances a byte followed by `k` zero bytes.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var register = UInt32(byte)
      for _ in 0..<8 {
        register = (register >> 1) ^ (register & 1 == 1 ? reflectedPolynomial : 0)
      }
      tables[byte] = register
    }
    for entry in 256..<(8 * 256) {
      let shorter = tables[entry - 256]
      tables[entry] = (shorter >> 8) ^ tables[Int(shorter & 0xFF)]
    }
    return tables
  }()

  /// Returns the register after `bytes`, without the final inversion.
  package static func register(
    startingWith start: UInt32 = .max, over bytes: some Sequence<UInt8>
  ) -> UInt32 {
    let tables = Self.tables
    var register = start
    for byte in bytes {
      register = (register >> 8) ^ tables[Int((register ^ UInt32(byte)) & 0xFF)]
    }
    return register
  }

  /// Returns the register over bytes 4 to 4095 of a metadata block, given as 512 little-endian
  /// words.
  static func register(overMetadataBlock words: UnsafeBufferPointer<UInt64>) -> UInt32 {
    // SAFETY: The caller passes exactly one block; `tables` lives for the whole call.
    unsafe tables.withUnsafeBufferPointer { table in
      let flags = unsafe UInt32(truncatingIfNeeded: words[0] &>> 32)
      var register = UInt32.max ^ flags
      for _ in 0..<4 {
        register = unsafe (register &>> 8) ^ table[Int(register & 0xFF)]
      }
      for index in 1..<MetadataImage.wordsPerBlock {
        let word = unsafe words[index] ^ UInt64(register)
        let low = Int(truncatingIfNeeded: word & 0xFFFF_FFFF)
        let high = Int(truncatingIfNeeded: word &>> 32)
        let first = unsafe table[0x700 &+ (low & 0xFF)] ^ table[0x600 &+ (low &>> 8 & 0xFF)]
        let second = unsafe table[0x500 &+ (low &>> 16 & 0xFF)] ^ table[0x400 &+ (low &>> 24)]
        let third = unsafe table[0x300 &+ (high & 0xFF)] ^ table[0x200 &+ (high &>> 8 & 0xFF)]
        let fourth = unsafe table[0x100 &+ (high &>> 16 & 0xFF)] ^ table[high &>> 24]
        register = first ^ second ^ third ^ fourth
      }
      return register
    }
  }
}
