/// A number of bytes in the form that people type: `4096`, `8s`, `64k`, `1MiB`.
struct ByteSize: Equatable, Sendable {
  /// The number of bytes.
  var byteCount: UInt64

  /// Creates a size from a number of bytes.
  init(byteCount: UInt64) { self.byteCount = byteCount }

  /// Parses digits and a unit; returns nil if `text` is something else or too large.
  init?(_ text: String) {
    guard let (digits, unit) = Self.parts(text), let number = UInt64(digits) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    byteCount = product
  }

  /// Returns true if the text is a valid size but its number of bytes does not fit in 64 bits.
  static func isTooLarge(_ text: String) -> Bool { parts(text) != nil && ByteSize(text) == nil }

  private static func parts(_ text: String) -> (digits: Substring, unitByteCount: UInt64)? {
    // The standard library's parser would also accept a sign.
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty,
      let unit = unitByteCount(text.dropFirst(digits.count).lowercased())
    else { return nil }
    return (digits, unit)
  }

  // Units such as `KB` are not accepted, because half of the people who read them take them for
  // powers of ten.
  private static func unitByteCount(_ unit: String) -> UInt64? {
    switch unit {
    case "", "b": 1
    case "s": 512
    case "k", "kib": 1 << 10
    case "m", "mib": 1 << 20
    case "g", "gib": 1 << 30
    case "t", "tib": 1 << 40
    default: nil
    }
  }
}

extension ByteSize: CustomStringConvertible {
  /// The size in the largest unit that divides it evenly.
  var description: String {
    let units: [Character] = ["k", "M", "G", "T"]
    var value = byteCount
    var unit = ""
    for next in units where value >= 1024 && value.isMultiple(of: 1024) {
      value /= 1024
      unit = String(next)
    }
    return "\(value)\(unit)"
  }
}
