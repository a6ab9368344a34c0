/// The source of a merge: one thin device of a pool, given by the pool's two devices or images of
/// them.
public struct MergeSource: Equatable, Sendable {
  /// The mapping tree of the pool to read.
  public enum Mappings: Equatable, Sendable {
    /// The metadata snapshot held by the superblock, which stays held; with a block number, only
    /// the one at that block.
    ///
    /// The number counts blocks of 4096 bytes, as in the pool's status line: the kernel's
    /// `thin-provisioning.rst`, "held metadata root".
    case metadataSnapshot(block: UInt64?)
    /// A metadata snapshot of the active pool that is taken for this purpose and released
    /// afterwards.
    case ownMetadataSnapshot
    /// The live tree of an inactive pool; a block device is opened exclusively to prove that the
    /// pool is inactive.
    case inactivePool
  }

  /// The pool's metadata device, or a file with its content.
  public var metadataPath: String
  /// The pool's data device, or a file with its content.
  public var dataPath: String
  /// The thin device's ID in the pool, up to 16777215: `dm-thin.c`, `MAX_DEV_ID`.
  public var deviceID: UInt32
  /// The mapping tree to read.
  public var mappings: Mappings
  /// Reads the held metadata snapshot of a pool that is marked `needs_check`, which is otherwise
  /// refused: `dm-thin-metadata.c`, `THIN_METADATA_NEEDS_CHECK_FLAG`.
  public var ignoresNeedsCheck: Bool
  /// Accepts a device whose number of mappings differs from the count in its details, which is
  /// otherwise refused.
  ///
  /// The whole mapping tree is read and checked either way; the kernel does not compare the two
  /// counts.
  public var ignoresMappingCount = false
  /// The thin device's name in messages; nil to use its ID and the path of its pool's metadata
  /// device.
  public var name: String?
  /// The thin device's name for people; nil if it has none.
  package var deviceName: String?
  /// The thin device's identity as an LVM volume; nil if it is not one, or LVM was not asked.
  package var volume: VolumeUUIDs?
  /// The internal snapshot read in place of the thin device; nil if the device itself is read.
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

  /// The ID, in the pool's metadata, of the device whose mappings are read.
  var readID: UInt32 { snapshotID ?? deviceID }

  package var nameInMessages: String { name ?? "dev \(deviceID) of \(metadataPath)" }
}

/// The identity of an LVM volume: the uuids of the volume and its group, as LVM prints them.
package struct VolumeUUIDs: Equatable, Sendable {
  package let group, volume: String

  package init(group: String, volume: String) {
    self.group = group
    self.volume = volume
  }
}

/// A thin device of an active pool, as people name it.
public enum ThinDeviceReference: Equatable, Sendable {
  /// A node's path, a logical volume (`VG/LV`, `/dev/VG/LV`), active or not, or a device-mapper
  /// name.
  case device(String)
  /// A thin device identified by its ID, up to 16777215, in the named pool; the pool must be
  /// active, the thin device need not be.
  case member(pool: String, deviceID: UInt32)
}

/// The properties of a thin device, according to device-mapper and LVM.
///
/// A merge takes ``source``, ``originPath``, and ``thinByteCount`` in its ``ExtentOptions``.
public struct ResolvedThinDevice: Equatable, Sendable {
  /// The location of the thin device's mappings and blocks.
  public var source: MergeSource
  /// The external origin in the thin device's table; nil if there is none or it is unknown.
  public var originPath: String?
  /// The size of the thin device in bytes, from its table; nil if unknown.
  public var thinByteCount: UInt64?
  /// The note on an unknown external origin, with any remedy.
  public var originHint: MergeNote?

  /// Describes a source whose devices are already known.
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
