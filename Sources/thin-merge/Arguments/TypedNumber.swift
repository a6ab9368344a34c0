internal import ArgumentParser

/// Numbers as options take them; what is none is answered with what would be one.
enum TypedNumber {
  /// A number of bytes.
  static func size(_ text: String) throws -> ByteSize {
    guard let size = ByteSize(text) else {
      throw ValidationError(
        "a whole number with b, s, k, M, G, T or nothing behind it is expected, such as 64k")
    }
    return size
  }

  /// A number of seconds.
  static func seconds(_ text: String) throws -> DecimalSeconds {
    guard let seconds = DecimalSeconds(text) else {
      throw ValidationError("a number of seconds is expected, such as 5 or 0.2")
    }
    return seconds
  }

  /// How many requests.
  static func queueDepth(_ text: String) throws -> Int {
    guard let depth = Int(text) else {
      throw ValidationError("a whole number is expected, such as \(QueueArguments.depthDefault)")
    }
    return depth
  }

  /// A thin device's number.
  static func deviceID(_ text: String) throws -> UInt32 {
    guard let deviceID = UInt32(text) else {
      throw ValidationError(
        "a whole number is expected, such as 1; 'thin-merge devices' lists those that there are")
    }
    return deviceID
  }

  /// A metadata block's number.
  static func metadataBlock(_ text: String) throws -> UInt64 {
    guard let block = UInt64(text) else {
      throw ValidationError(
        "the number of a block is expected, such as 1234; 'dmsetup status' of the pool has it")
    }
    return block
  }
}
