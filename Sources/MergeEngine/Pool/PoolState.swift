internal import FoundationEssentials
internal import SystemPackage

/// The changes that this tool has made to a pool, or was about to make, and must undo.
///
/// Each pool has its own file, written before and after each step. If a run is killed, its file
/// stays behind, and the next run undoes what it records.
package struct PoolState: Equatable, Sendable {
  /// The identity of a mapped device, valid only during the boot in which it was seen: names are
  /// reused, and device numbers even sooner.
  package struct KnownDevice: Equatable, Sendable, Codable {
    package var name: String
    package var uuid: String
    package var number: DeviceNumber
    package var bootID: String
    /// The live table when the device was recorded; nil if any table is accepted.
    ///
    /// If the table has changed since, the device is left alone.
    package var table: [TableLine]?

    package init(_ device: MappedDevice, bootID: String) {
      name = device.name
      uuid = device.uuid
      number = device.number
      self.bootID = bootID
    }

    /// Returns the device in its current state; nil if it is gone or has changed.
    package func now(in devices: MappedDevices, bootID: String) -> MappedDevice? {
      guard let device = devices.named(name), device.uuid == uuid, device.number == number,
        self.bootID == bootID, table ?? device.liveTable == device.liveTable
      else { return nil }
      return device
    }
  }

  /// A metadata snapshot that this tool requested from the kernel.
  package struct MetadataHold: Equatable, Sendable, Codable {
    /// The pool's time counter before the request, while no metadata snapshot was held.
    package var timeBefore: UInt32
    /// The pool's transaction ID before the request.
    package var transactionBefore: UInt64
    /// The root of the live mapping tree before the request.
    package var mappingRootBefore: UInt64
    /// The root of the live device details tree before the request.
    package var detailsRootBefore: UInt64
    /// The block and identifying fields of the metadata snapshot; nil until it is taken.
    package var held: Held?
    /// The ID of the thin device whose data may have been written to the origin; nil if nothing was
    /// written, or if the merge is finished.
    package var writtenFrom: UInt32?
    /// The ID of a snapshot of `writtenFrom` that was made after the metadata snapshot and has the
    /// same blocks; nil if the thin device itself has those blocks.
    package var snapshotOfIt: UInt32?

    /// The fields that identify a metadata snapshot.
    package struct Held: Equatable, Sendable, Codable {
      package var block: UInt64
      package var mappingRoot: UInt64
      package var detailsRoot: UInt64
      package var time: UInt32
      package var transactionID: UInt64
    }

    // Version 0.1.0 wrote this field under an older name.
    private enum CodingKeys: String, CodingKey {
      case timeBefore, transactionBefore, mappingRootBefore, detailsRootBefore, writtenFrom
      case snapshotOfIt
      case held = "taken"
    }
  }

  /// A snapshot of a thin device, made to be merged in its place.
  package struct Snapshot: Equatable, Sendable, Codable {
    package var deviceID: UInt32
    package var originalID: UInt32
    /// The mapped device that is suspended while the snapshot is made; nil if none needs to be.
    package var thinDevice: KnownDevice?
    package var timeBefore: UInt32
    /// When the original thin device was created, which distinguishes it from a later device with
    /// the same ID; nil in records written by version 0.1.0.
    package var originalMade: ThinDeviceCreation?
    /// The creation time in the snapshot's device details: the value of the pool's snapshot
    /// counter, unique among the pool's devices.
    package var creationTime: UInt32?
    /// The identity of the origin that the snapshot is merged onto; nil until the origin is written
    /// to.
    package var originName: String?
    /// The ID of the merge's journal; nil until the origin is written to, and in records written by
    /// version 0.1.0.
    package var journalID: String?
    package var isMade = false
    /// True if the thin device may have been left suspended.
    package var mayBeSuspended: Bool
    /// True if the origin may have been written to from this snapshot.
    package var hasBegun = false
    package var isMerged = false

    package init(
      deviceID: UInt32, originalID: UInt32, originalMade: ThinDeviceCreation?,
      thinDevice: KnownDevice?,
      timeBefore: UInt32
    ) {
      self.deviceID = deviceID
      self.originalID = originalID
      self.originalMade = originalMade
      self.thinDevice = thinDevice
      self.timeBefore = timeBefore
      mayBeSuspended = thinDevice != nil
    }

    /// True if an unfinished merge needs the snapshot.
    package var isNeeded: Bool { hasBegun && !isMerged }

    /// True if no merge has begun to write from the snapshot, so its data may exist nowhere else.
    var isUnread: Bool { !hasBegun && !isMerged && originName == nil }

    /// Returns whether the original thin device was deleted and the snapshot is the only copy of
    /// it.
    ///
    /// - `live`: the thin devices now in the pool; only the snapshot and the original matter.
    package func isOnlyCopy(among live: [MetadataReader.Device]) -> Bool {
      guard isUnread, let own = live.first(where: { $0.id == deviceID }),
        own.details.mappedBlockCount > 0
      else { return false }
      return !live.contains { $0.id == originalID && isOriginal($0.details.creation) }
    }

    /// Returns whether a thin device that has the original's ID is really the original, judging by
    /// its creation.
    func isOriginal(_ creation: ThinDeviceCreation) -> Bool {
      // Creating a snapshot increments the pool's time, so a later device has a later time.
      originalMade.map { $0 == creation } ?? (creation.time <= timeBefore)
    }

    /// Returns whether a merge of a thin device, or of the snapshot itself, may read this snapshot.
    func isOf(_ deviceID: UInt32, in merge: MergeKey) -> Bool {
      [self.deviceID, originalID].contains(deviceID)
        && (hasJournal(of: merge) || (originName ?? merge.originName) == merge.originName)
    }

    func hasJournal(of merge: MergeKey) -> Bool {
      journalID != nil && journalID == merge.journalID
    }
  }

  /// The key that distinguishes a merge from other merges of the same thin device.
  package struct MergeKey: Equatable, Sendable {
    /// The identity of the origin.
    ///
    /// If an origin has no identity, this is its location, which a different origin may occupy
    /// after a reboot.
    package var originName: String
    /// The ID of the merge's journal; nil if there is no journal yet.
    package var journalID: String?

    package init(originName: String, journalID: String?) {
      self.originName = originName
      self.journalID = journalID
    }
  }

  /// A mapped thin device that was removed for the duration of a merge.
  package struct Removal: Equatable, Sendable, Codable {
    package var device: MappedDevice
    package var bootID: String
    /// The identity of the device's origin.
    package var originName: String
    /// The components that make up the origin if it has no identity; nil if unknown, as in records
    /// written by version 0.1.0.
    package var originParts: String?
    package var isPutBack: Bool
    /// True if the device is to stay removed; it is then recorded only so that its name is
    /// recognized.
    package var staysRemoved = false

    package init(
      device: MappedDevice, bootID: String, originName: String, originParts: String?,
      isPutBack: Bool
    ) {
      self.device = device
      self.bootID = bootID
      self.originName = originName
      self.originParts = originParts
      self.isPutBack = isPutBack
    }

    // Version 0.1.0 wrote this field under an older name.
    private enum CodingKeys: String, CodingKey {
      case device, bootID, originName, originParts, isPutBack
      case staysRemoved = "isLeft"
    }
  }

  /// The record features that this version can read, one bit each.
  package static let knownFeatures = severalSnapshots | journalsOfSnapshots
  /// Snapshots are stored in a list.
  private static let severalSnapshots: UInt64 = 1
  /// A snapshot can be identified by its merge's journal, even if the origin's name has changed.
  private static let journalsOfSnapshots: UInt64 = 2

  package var format = 1
  /// The path of the pool's metadata device, used to find the record of an inactive pool; nil in
  /// records written by version 0.1.0.
  package var metadataPath: String?
  package var metadataHold: MetadataHold?
  /// The recorded snapshots, at most one for each pair of thin device and origin.
  package var snapshots: [Snapshot] = []
  package var removals: [Removal] = []
  /// Read-only layers of the origin that were made writable for the duration of a merge, lowest
  /// first.
  package var madeWritable: [KnownDevice] = []

  package init() {}

  /// The mask of the features that a reader of this record must know.
  package var requiredFeatures: UInt64 {
    (snapshots.isEmpty ? 0 : Self.severalSnapshots)
      | (snapshots.allSatisfy { $0.journalID == nil } ? 0 : Self.journalsOfSnapshots)
  }

  /// True if the record lists no changes.
  package var isEmpty: Bool {
    metadataHold == nil && snapshots.isEmpty && removals.isEmpty && madeWritable.isEmpty
  }

  /// True if nothing is left to undo.
  ///
  /// Snapshots kept so that an unfinished merge can be resumed do not count.
  package var isSettled: Bool {
    metadataHold == nil && snapshots.allSatisfy { $0.isNeeded && !$0.mayBeSuspended }
      && removals.allSatisfy(\.staysRemoved) && madeWritable.isEmpty
  }

  /// Returns a description of each change made for a finished merge that still has to be undone.
  ///
  /// Changes kept for other merges are not included.
  func leftovers(ofMergeOf deviceID: UInt32, in merge: MergeKey) -> [String] {
    let own = snapshots.filter { $0.originName != nil && $0.isOf(deviceID, in: merge) }
    let sources = [deviceID] + own.map(\.deviceID)
    var left: [String] = []
    if let metadataHold, metadataHold.writtenFrom.map({ sources.contains($0) }) ?? true {
      left.append("the metadata snapshot")
    }
    left += own.filter { !$0.isNeeded }.map {
      "dev \($0.deviceID), a snapshot of dev \($0.originalID)"
    }
    left += removals.filter { !$0.staysRemoved && $0.originName == merge.originName }
      .map(\.device.path)
    left += madeWritable.map { "\($0.name), made writable" }
    return left
  }

  /// Returns the recorded snapshot with the given device ID; nil if there is none.
  package func snapshot(_ deviceID: UInt32) -> Snapshot? {
    snapshots.first { $0.deviceID == deviceID }
  }

  /// Applies a change to the record of the snapshot with the given device ID, if there is one.
  package mutating func changeSnapshot(_ deviceID: UInt32, _ change: (inout Snapshot) -> Void) {
    guard let index = snapshots.firstIndex(where: { $0.deviceID == deviceID }) else { return }
    change(&snapshots[index])
  }
}

extension PoolState: Codable {
  private enum CodingKeys: String, CodingKey {
    case format, requiredFeatures, metadataPath, snapshots, removals, madeWritable
    // Version 0.1.0 wrote these names.
    case metadataHold = "hold"
    case snapshot
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    format = try values.decode(Int.self, forKey: .format)
    metadataPath = try values.decodeIfPresent(String.self, forKey: .metadataPath)
    metadataHold = try values.decodeIfPresent(MetadataHold.self, forKey: .metadataHold)
    snapshots = try values.decodeIfPresent([Snapshot].self, forKey: .snapshots) ?? []
    if let single = try values.decodeIfPresent(Snapshot.self, forKey: .snapshot) {
      snapshots.append(single)
    }
    removals = try values.decode([Removal].self, forKey: .removals)
    madeWritable = try values.decode([KnownDevice].self, forKey: .madeWritable)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(format, forKey: .format)
    if requiredFeatures != 0 { try values.encode(requiredFeatures, forKey: .requiredFeatures) }
    try values.encodeIfPresent(metadataPath, forKey: .metadataPath)
    try values.encodeIfPresent(metadataHold, forKey: .metadataHold)
    if !snapshots.isEmpty { try values.encode(snapshots, forKey: .snapshots) }
    try values.encode(removals, forKey: .removals)
    try values.encode(madeWritable, forKey: .madeWritable)
  }
}

/// A pool's record file, locked so that only one run at a time can use the pool.
package final class PoolStateFile {
  package let path: String
  package private(set) var state: PoolState
  /// The ID of the current boot.
  package let bootID: String
  private let poolName: String
  private let lock: OpenFile

  /// Locks and opens a pool's record, or begins a new record if the pool has none.
  ///
  /// - Throws: `MergeError`: `busy` if another run is using the pool.
  package init(
    pool: MappedDevice, metadataPath: String, stateFolder: String, bootID: String
  ) throws(MergeError) {
    self.bootID = bootID
    poolName = pool.name
    path = Self.path(of: pool, stateFolder)
    lock = try Self.lock(path + ".lock", pool: pool.name)
    if FileSystem.exists(path) {
      guard let found = Self.state(at: path) else {
        if Self.isNewer(at: path) {
          throw .poolRecordNewer(pool.name, path)
        }
        throw .poolRecordDamaged(pool.name, path)
      }
      state = found
    } else {
      state = PoolState()
    }
    state.metadataPath = FileSystem.absolute(metadataPath)
  }

  static func path(of pool: MappedDevice, _ stateFolder: String) -> String {
    "\(stateFolder)/pools/\(FileSystem.plainName(pool.durableName)).json"
  }

  static func state(at path: String) -> PoolState? {
    guard !isNewer(at: path), let bytes = FileSystem.firstBytes(of: path, count: 1 << 20),
      let state = try? JSONDecoder().decode(PoolState.self, from: Data(bytes)),
      state.format == Head.format
    else { return nil }
    return state
  }

  /// The part of a record that every version can read.
  private struct Head: Decodable {
    static let format = 1

    var format: Int
    var requiredFeatures: UInt64?
  }

  /// Returns whether a later version of this tool wrote the record, meaning that it has a newer
  /// format or requires unknown features.
  static func isNewer(at path: String) -> Bool {
    guard let bytes = FileSystem.firstBytes(of: path, count: 1 << 20),
      let head = try? JSONDecoder().decode(Head.self, from: Data(bytes))
    else { return false }
    return head.format > Head.format
      || (head.requiredFeatures ?? 0) & ~PoolState.knownFeatures != 0
  }

  /// Returns the thin device with the given name that a merge removed during this boot and has not
  /// put back; nil if there is none.
  package static func removedDevice(
    _ name: String, of pool: MappedDevice, _ devices: MappedDevices, stateFolder: String,
    bootID: String
  ) -> MappedDevice? {
    state(at: path(of: pool, stateFolder))?.removals.first {
      $0.device.name == name && $0.numbers(in: pool, devices, bootID: bootID) != .changed
    }?.device
  }

  /// Applies a change to the record and saves it durably.
  ///
  /// - Throws: `MergeError` (`refused`) if the record cannot be saved. The step that it was meant
  ///   to record must then not be taken.
  package func update(_ change: (inout PoolState) -> Void) throws(MergeError) {
    var changed = state
    change(&changed)
    do throws(Errno) {
      try save(changed)
    } catch {
      throw .cannotWritePoolRecord(poolName, path, error)
    }
    state = changed
  }

  /// Removes outdated entries from the record, durably if possible.
  ///
  /// If saving fails, the error is ignored: an outdated entry only costs the next run a check.
  package func forget(_ change: (inout PoolState) -> Void) {
    change(&state)
    try? save(state)
  }

  private func save(_ state: PoolState) throws(Errno) {
    guard !state.isEmpty else { return try RecordFile.remove(path) }
    try RecordFile.write(state, to: path)
  }

  private static func lock(_ path: String, pool: String) throws(MergeError) -> OpenFile {
    let file: OpenFile?
    do throws(Errno) {
      file = try RecordFile.lock(path, role: "lock of the pool")
    } catch {
      throw .cannotLockPool(pool, lockPath: path, error)
    }
    guard let file else { throw .poolInUse(pool, lockPath: path) }
    return file
  }
}
