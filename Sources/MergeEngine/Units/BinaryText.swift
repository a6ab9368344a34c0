/// Byte counts as people read them.
package enum BinaryText {
  /// `1536` as `1.5 KiB`, with as many decimals as make three digits.
  package static func bytes(_ byteCount: UInt64) -> String {
    guard byteCount >= 1024 else { return "\(byteCount) bytes" }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = Double(byteCount) / 1024
    var unit = 0
    while value >= 1023.95, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    return "\(decimal(value)) \(units[unit])"
  }

  private static func decimal(_ value: Double) -> String {
    let tenths = UInt64((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
