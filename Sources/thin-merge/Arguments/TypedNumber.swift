internal import ArgumentParser
internal import MergeEngine

/// Parsers for numbers in options; their errors say what kind of value is expected.
enum TypedNumber {
  private static let tooLarge = "too large"

  /// Returns true if the text is a whole number, which means that it is too large if parsing it
  /// failed.
  private static func isNumber(_ text: String) -> Bool {
    !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isNumber }
  }

  /// Parses a number of bytes.
  static func size(_ text: String) throws -> ByteSize {
    guard let size = ByteSize(text) else {
      throw ValidationError(
        ByteSize.isTooLarge(text)
          ? tooLarge
          : "expected a whole number with an optional unit (b, s, k, M, G, T), such as 64k")
    }
    return size
  }

  /// Parses the maximum size of a transfer.
  static func ioSize(_ text: String) throws -> ByteSize {
    let size = try size(text)
    let range = TransferOptions.ioByteCountRange
    guard range.contains(size.byteCount), size.byteCount.isMultiple(of: range.lowerBound) else {
      let smallest = ByteSize(byteCount: range.lowerBound)
      let largest = ByteSize(byteCount: range.upperBound)
      throw ValidationError("expected a multiple of \(smallest), up to \(largest)")
    }
    return size
  }

  /// Parses a number of seconds.
  static func seconds(_ text: String) throws -> DecimalSeconds {
    guard let seconds = DecimalSeconds(text) else {
      throw ValidationError(
        isNumber(text) ? tooLarge : "expected a number of seconds, such as 5 or 0.2")
    }
    return seconds
  }

  /// Parses a number of requests.
  static func queueDepth(_ text: String) throws -> Int {
    guard let depth = Int(text) else {
      throw ValidationError(
        isNumber(text) ? tooLarge : "expected a whole number, such as \(DefaultTransfer.depth)")
    }
    return depth
  }

  /// Parses a thin device's id.
  static func deviceID(_ text: String) throws -> UInt32 {
    guard let deviceID = UInt32(text) else {
      throw ValidationError(
        isNumber(text)
          ? tooLarge
          : "expected a whole number, such as 1; 'thin-merge devices' lists the thin devices")
    }
    return deviceID
  }

  /// Parses a metadata block's number.
  static func metadataBlock(_ text: String) throws -> UInt64 {
    guard let block = UInt64(text) else {
      throw ValidationError(
        isNumber(text)
          ? tooLarge
          : "expected a block number, such as 1234; 'dmsetup status' of the pool shows it")
    }
    return block
  }
}
