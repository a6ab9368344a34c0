/// Whose a completion is: a kind, a slot, and a segment of it.
enum RequestTag: UInt8 {
  case sourceRead, originRead, originWrite
  case salvageSource, salvageOrigin, salvageWrite
  case originFlush, journalWrite, journalFlush

  var tag: UInt64 { UInt64(rawValue) << 56 }

  func tag(slot: Int, segment: Int = 0) -> UInt64 {
    tag | UInt64(slot) << 32 | UInt64(segment)
  }

  init?(of tag: UInt64) { self.init(rawValue: UInt8(tag >> 56)) }

  static func slot(of tag: UInt64) -> Int { Int(tag >> 32 & 0xFF_FFFF) }
  static func segment(of tag: UInt64) -> Int { Int(tag & 0xFFFF_FFFF) }
}
