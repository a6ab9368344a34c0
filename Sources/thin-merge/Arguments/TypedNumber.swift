internal import ArgumentParser
internal import MergeEngine

/// Numbers as options take them; what is none is answered with what would be one.
enum TypedNumber {
  private static let tooLarge = "too large"

  /// Whether a text is a whole number, which then has been too large for what it is to be.
  private static func isNumber(_ text: String) -> Bool {
    !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isNumber }
  }

  /// A number of bytes.
  static func size(_ text: String) throws -> ByteSize {
    guard let size = ByteSize(text) else {
      throw ValidationError(
        ByteSize.isTooLarge(text)
          ? tooLarge
          : "a whole number with b, s, k, M, G, T or nothing behind it is expected, such as 64k")
    }
    return size
  }

  /// How large a transfer may become.
  static func ioSize(_ text: String) throws -> ByteSize {
    let size = try size(text)
    let range = TransferOptions.ioByteCountRange
    guard range.contains(size.byteCount), size.byteCount.isMultiple(of: range.lowerBound) else {
      let smallest = ByteSize(byteCount: range.lowerBound)
      let largest = ByteSize(byteCount: range.upperBound)
      throw ValidationError("a multiple of \(smallest), up to \(largest), is expected")
    }
    return size
  }

  /// A number of seconds.
  static func seconds(_ text: String) throws -> DecimalSeconds {
    guard let seconds = DecimalSeconds(text) else {
      throw ValidationError(
        isNumber(text) ? tooLarge : "a number of seconds is expected, such as 5 or 0.2")
    }
    return seconds
  }

  /// How many requests.
  static func queueDepth(_ text: String) throws -> Int {
    guard let depth = Int(text) else {
      throw ValidationError(
        isNumber(text) ? tooLarge : "a whole number is expected, such as \(DefaultTransfer.depth)")
    }
    return depth
  }

  /// A thin device's number.
  static func deviceID(_ text: String) throws -> UInt32 {
    guard let deviceID = UInt32(text) else {
      throw ValidationError(
        isNumber(text)
          ? tooLarge
          : "a whole number is expected, such as 1; 'thin-merge devices' lists those that there "
            + "are")
    }
    return deviceID
  }

  /// A metadata block's number.
  static func metadataBlock(_ text: String) throws -> UInt64 {
    guard let block = UInt64(text) else {
      throw ValidationError(
        isNumber(text)
          ? tooLarge
          : "the number of a block is expected, such as 1234; 'dmsetup status' of the pool has it")
    }
    return block
  }
}
