/// How bytes are moved.
public struct TransferOptions: Equatable, Sendable {
  /// The smallest and largest `queueDepth`.
  public static let queueDepthRange = 1...4096
  /// The smallest and largest `ioByteCount`, which is also a multiple of the smallest.
  public static let ioByteCountRange: ClosedRange<UInt64> = 4096...(64 << 20)

  /// The most requests in flight; for each, 128 KiB may be under way, or eight transfers if that is more.
  public package(set) var queueDepth: Int
  /// The largest transfer, in bytes.
  ///
  /// Buffers take at most `queueDepth` times as much memory.
  public package(set) var ioByteCount: UInt64
  /// Bytes a second written to the origin, above zero; nil for as many as it takes.
  public package(set) var rateLimit: UInt64?

  /// Describes how bytes are moved.
  ///
  /// Precondition: the values lie in their ranges, and `ioByteCount` is a multiple of 4096.
  public init(queueDepth: Int = 64, ioByteCount: UInt64 = 1 << 20, rateLimit: UInt64? = nil) {
    precondition(Self.queueDepthRange.contains(queueDepth))
    precondition(Self.ioByteCountRange.contains(ioByteCount) && ioByteCount.isMultiple(of: 4096))
    precondition(rateLimit != 0)
    self.queueDepth = queueDepth
    self.ioByteCount = ioByteCount
    self.rateLimit = rateLimit
  }
}
