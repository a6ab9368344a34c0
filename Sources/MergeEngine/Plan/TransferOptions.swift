/// How bytes are moved.
public struct TransferOptions: Equatable, Sendable {
  /// The smallest and largest `queueDepth`.
  public static let queueDepthRange = 1...4096
  /// The smallest and largest `ioByteCount`, which is also a multiple of the smallest.
  public static let ioByteCountRange: ClosedRange<UInt64> = 4096...(64 << 20)

  /// Requests in flight.
  public var queueDepth: Int
  /// The largest transfer, in bytes.
  public var ioByteCount: UInt64
  /// Bytes a second written to the origin; nil for as many as it takes.
  public var rateLimit: UInt64?

  /// Describes how bytes are moved.
  ///
  /// Precondition: the values lie in their ranges.
  public init(queueDepth: Int = 64, ioByteCount: UInt64 = 1 << 20, rateLimit: UInt64? = nil) {
    precondition(Self.queueDepthRange.contains(queueDepth))
    precondition(Self.ioByteCountRange.contains(ioByteCount) && ioByteCount.isMultiple(of: 4096))
    self.queueDepth = queueDepth
    self.ioByteCount = ioByteCount
    self.rateLimit = rateLimit
  }
}
