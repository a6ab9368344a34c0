/// A number of seconds in the form that people type: `5`, `0.2`.
struct DecimalSeconds: Equatable, Sendable {
  /// The duration.
  var duration: Duration

  /// Creates a value from a duration.
  init(_ duration: Duration) { self.duration = duration }

  /// Parses digits with at most one decimal point and at most nine decimal places; returns nil for
  /// any other text.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard let whole = parts.first, parts.count <= 2, let seconds = Self.number(whole) else {
      return nil
    }
    var nanoseconds: Int64 = 0
    if parts.count == 2 {
      guard parts[1].count <= 9, let decimals = Self.number(parts[1]) else { return nil }
      nanoseconds = (parts[1].count..<9).reduce(decimals) { value, _ in value * 10 }
    }
    duration = .seconds(seconds) + .nanoseconds(nanoseconds)
  }

  private static func number(_ digits: Substring) -> Int64? {
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int64(digits)
  }
}

extension DecimalSeconds: CustomStringConvertible {
  /// The number of seconds, with decimal places only if it is not a whole number.
  var description: String {
    let (seconds, attoseconds) = duration.components
    return attoseconds == 0 ? "\(seconds)" : "\(duration.seconds)"
  }
}
