/// A thin device of this system that has an external origin, and what is in the way of its merge.
public struct ThinDeviceListing: Equatable, Sendable {
  /// Something that a merge would be refused for.
  public struct Obstacle: Equatable, Sendable {
    /// The code of the error that a merge would end with.
    public var code: MergeError.Code
    /// Part of a sentence.
    public var text: String
  }

  /// Of a volume its name in LVM, of another device that of device-mapper.
  public var name: String
  /// The same of its pool.
  public var poolName: String
  /// The same of its origin, or the path of a device that is neither.
  public var originName: String
  /// The thin device's number in the pool.
  public var deviceID: UInt32
  /// Bytes of the thin device.
  public var byteCount: UInt64
  /// Bytes of the blocks that are its own, shared ones among them; nil where it is not active, which nothing tells then.
  public var ownByteCount: UInt64?
  /// Whether it is active.
  public var isActive: Bool
  /// How many have it open.
  public var openCount: Int
  /// Where its file system is mounted; empty where it is not.
  public var mountPath: String?
  /// The latest merge of it whose journal is known.
  public var merge: StatusReport?
  /// What is in the way of a merge, as far as it can be seen without changing the pool.
  public var obstacles: [Obstacle]
}
