extension [ThinMapping] {
  /// Returns mappings of every third thin block to consecutive data blocks.
  package static func everyThird(
    count: Int, startingAt thinBlock: Int = 0, dataBlock: Int = 0
  ) -> [ThinMapping] {
    (0..<count).map { ThinMapping(UInt64(thinBlock + 3 * $0), UInt64(dataBlock + $0)) }
  }

  /// Returns mappings of consecutive thin blocks to consecutive data blocks.
  package static func consecutive(
    count: Int, startingAt thinBlock: Int = 0, dataBlock: Int = 0
  ) -> [ThinMapping] {
    (0..<count).map { ThinMapping(UInt64(thinBlock + $0), UInt64(dataBlock + $0)) }
  }
}
