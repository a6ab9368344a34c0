/// What may be done to an active pool, its thin devices and the origin for a merge.
///
/// A source that is not of an active pool needs none of it.
public struct PoolOptions: Equatable, Sendable {
  /// Merges a snapshot of the thin device, made for this, where the device is in use.
  public var takesSnapshot: Bool
  /// Puts a thin device back that was removed for the time of the merge.
  public var reactivates: Bool
  /// Lets the origin be written to for the time of the merge if device-mapper has it read-only.
  public var makesOriginWritable: Bool
  /// Merges although other thin devices show the origin, or may do so.
  public var allowsOtherUsers: Bool

  /// Describes what may be done; nothing unless said.
  public init(
    takesSnapshot: Bool = false, reactivates: Bool = false, makesOriginWritable: Bool = false,
    allowsOtherUsers: Bool = false
  ) {
    self.takesSnapshot = takesSnapshot
    self.reactivates = reactivates
    self.makesOriginWritable = makesOriginWritable
    self.allowsOtherUsers = allowsOtherUsers
  }

  /// One bit each, in the order of the properties.
  package var code: UInt64 {
    (takesSnapshot ? 1 : 0) | (reactivates ? 2 : 0) | (makesOriginWritable ? 4 : 0)
      | (allowsOtherUsers ? 8 : 0)
  }

  package init(code: UInt64) {
    self.init(
      takesSnapshot: code & 1 != 0, reactivates: code & 2 != 0,
      makesOriginWritable: code & 4 != 0, allowsOtherUsers: code & 8 != 0)
  }

  /// What either allows.
  package func union(_ other: PoolOptions) -> PoolOptions { PoolOptions(code: code | other.code) }
}
