/// A number of bytes as people type it: `4096`, `8s`, `64k`, `1MiB`.
struct ByteSize: Equatable, Sendable {
  /// The bytes.
  var byteCount: UInt64

  /// A number of bytes.
  init(byteCount: UInt64) { self.byteCount = byteCount }

  /// Reads digits and a unit; nil if that is not what `text` is, or if it is too large.
  init?(_ text: String) {
    guard let (digits, unit) = Self.parts(text), let number = UInt64(digits) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    byteCount = product
  }

  /// Whether a text is a size that cannot be counted in bytes here.
  static func isTooLarge(_ text: String) -> Bool { parts(text) != nil && ByteSize(text) == nil }

  private static func parts(_ text: String) -> (digits: Substring, unitByteCount: UInt64)? {
    // The standard library would take a sign as well.
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty,
      let unit = unitByteCount(text.dropFirst(digits.count).lowercased())
    else { return nil }
    return (digits, unit)
  }

  // `KB` and the like are left out: half of their readers take them for powers of ten.
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
  /// The size with the largest unit that it is a multiple of.
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
