/// A thin device of an active pool, as people name it.
public enum ThinSelection: Equatable, Sendable {
  /// A path to its node, a logical volume (`VG/LV`, `/dev/VG/LV`), active or not, or a name of
  /// device-mapper.
  case device(String)
  /// One by its number in the pool of that name, up to 16777215; the pool is active, the device need
  /// not be.
  case member(pool: String, deviceID: UInt32)
}

/// What device-mapper and LVM tell of a thin device.
///
/// A merge is given ``source``, ``originPath``, and ``thinByteCount`` in its ``ExtentOptions``.
public struct FoundThinDevice: Equatable, Sendable {
  /// Where its mappings and blocks are.
  public var source: MergeSource
  /// The external origin that its table names; nil if it has none, or that is not known.
  public var originPath: String?
  /// Bytes of the thin device, from its table; nil where that is not known.
  public var thinByteCount: UInt64?
  /// Where the external origin is not known: what can be done about it, one sentence.
  public var originHint: String?

  /// Describes a source whose devices are known already, and what is known of it.
  package init(
    source: MergeSource, originPath: String? = nil, thinByteCount: UInt64? = nil,
    originHint: String? = nil
  ) {
    self.source = source
    self.originPath = originPath
    self.thinByteCount = thinByteCount
    self.originHint = originHint
  }
}
