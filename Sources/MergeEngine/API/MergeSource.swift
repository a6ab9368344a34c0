/// What is merged: one thin device of a pool, given by the pool's two devices or images of them.
public struct MergeSource: Equatable, Sendable {
  /// Which of the pool's mapping trees is read.
  public enum Mappings: Equatable, Sendable {
    /// The metadata snapshot that the superblock holds, and goes on holding; with a block number, only
    /// that one. The number is that of a block of 4096 bytes, as the pool's status line shows it: the
    /// kernel's `thin-provisioning.rst`, "held metadata root".
    case metadataSnapshot(block: UInt64?)
    /// One that is taken for this purpose of the active pool, and released afterwards.
    case ownMetadataSnapshot
    /// The live tree of a pool that is not active; a block device is opened exclusively to prove that.
    case inactivePool
  }

  /// The pool's metadata device, or a file with its content.
  public var metadataPath: String
  /// The pool's data device, or a file with its content.
  public var dataPath: String
  /// The thin device's number in the pool, up to 16777215: `dm-thin.c`, `MAX_DEV_ID`.
  public var deviceID: UInt32
  /// Which mapping tree is read.
  public var mappings: Mappings
  /// Reads the held metadata snapshot of a pool that is marked `needs_check`, which is refused otherwise:
  /// `dm-thin-metadata.c`, `THIN_METADATA_NEEDS_CHECK_FLAG`.
  public var ignoresNeedsCheck: Bool
  /// Accepts a device whose mappings are not as many as its details say, which is refused otherwise.
  ///
  /// The mapping tree is read and checked as a whole either way; the kernel does not compare the two.
  public var ignoresMappingCount = false
  /// The thin device's name in messages; nil for its number and its pool's metadata device.
  public var name: String?
  /// The thin device's name for people; nil where it has none.
  package var deviceName: String?
  /// The volume of LVM that the thin device is; nil where it is none, or LVM was not asked.
  package var volume: VolumeUUIDs?
  /// The internal snapshot of the thin device that is read in its place; nil where the device itself is.
  package var snapshotID: UInt32?

  /// Describes a source.
  public init(
    metadataPath: String, dataPath: String, deviceID: UInt32,
    mappings: Mappings = .metadataSnapshot(block: nil), ignoresNeedsCheck: Bool = false
  ) {
    self.metadataPath = metadataPath
    self.dataPath = dataPath
    self.deviceID = deviceID
    self.mappings = mappings
    self.ignoresNeedsCheck = ignoresNeedsCheck
  }

  /// The number under which the mappings are in the metadata.
  var readID: UInt32 { snapshotID ?? deviceID }

  package var nameInMessages: String { name ?? "dev \(deviceID) of \(metadataPath)" }
}

/// What tells a volume of LVM from every other one: the uuids of its group and its own, as LVM prints them.
package struct VolumeUUIDs: Equatable, Sendable {
  package let group, volume: String

  package init(group: String, volume: String) {
    self.group = group
    self.volume = volume
  }
}

/// A thin device of an active pool, as people name it.
public enum ThinDeviceReference: Equatable, Sendable {
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
public struct ResolvedThinDevice: Equatable, Sendable {
  /// Where its mappings and blocks are.
  public var source: MergeSource
  /// The external origin that its table names; nil if it has none, or that is not known.
  public var originPath: String?
  /// Bytes of the thin device, from its table; nil where that is not known.
  public var thinByteCount: UInt64?
  /// Where the external origin is not known: what is known of it, and what can be done.
  public var originHint: MergeNote?

  /// Describes a source whose devices are known already, and what is known of it.
  package init(
    source: MergeSource, originPath: String? = nil, thinByteCount: UInt64? = nil,
    originHint: MergeNote? = nil
  ) {
    self.source = source
    self.originPath = originPath
    self.thinByteCount = thinByteCount
    self.originHint = originHint
  }
}
