internal import FoundationEssentials
internal import SystemPackage

/// The changes that this tool has made to an origin without an active pool, and must undo.
struct OriginState: Equatable, Sendable, Codable {
  static let format = 1
  /// The features that a reader must know, one bit each; there is none yet.
  static let knownFeatures: UInt64 = 0

  var format = Self.format
  /// The mask of the features that a reader of this record must know; nil is 0.
  var requiredFeatures: UInt64?
  /// Layers of the origin that are writable for the duration of a merge, the lowest first.
  var madeWritable: [PoolState.KnownDevice] = []
}

/// The locked file of an origin's record: one file for each origin, written before and after each
/// step.
///
/// A killed run leaves the file behind, and the next merge onto any origin settles it.
final class OriginStateFile {
  let path: String
  private(set) var state: OriginState
  private let originPath: String
  private let lock: OpenFile

  private init(_ path: String, _ state: OriginState, of originPath: String, lock: OpenFile) {
    self.path = path
    self.state = state
    self.originPath = originPath
    self.lock = lock
  }

  /// Opens the record of an origin, or begins a new record.
  ///
  /// - `lowest`: the lowest layer to make writable.
  /// - Throws: `MergeError`: `busy` if another run has the record, `refused` if the record cannot
  ///   be read or written.
  static func open(
    _ lowest: MappedDevice, of originPath: String, stateFolder: String
  ) throws(MergeError) -> OriginStateFile {
    let path = "\(folder(stateFolder))/\(FileSystem.plainName(lowest.durableName)).json"
    let lock: OpenFile?
    do throws(Errno) {
      lock = try RecordFile.lock(path + ".lock", role: "lock of the origin")
    } catch {
      throw .cannotWriteOriginRecord(originPath, path, error)
    }
    guard let lock else { throw .originRecordInUse(path) }
    guard FileSystem.exists(path) else {
      return OriginStateFile(path, OriginState(), of: originPath, lock: lock)
    }
    guard let state = Self.state(at: path) else {
      throw .cannotReadOriginRecord(originPath, path)
    }
    return OriginStateFile(path, state, of: originPath, lock: lock)
  }

  /// Opens all records that ended runs left behind.
  ///
  /// An unreadable record is skipped; the next merge onto its origin reports it.
  static func left(in stateFolder: String) -> [OriginStateFile] {
    paths(in: stateFolder)
      .compactMap { path in
        guard let lock = try? RecordFile.lock(path + ".lock", role: "lock of the origin"),
          let state = state(at: path)
        else { return nil }
        return OriginStateFile(path, state, of: path, lock: lock)
      }
  }

  static func paths(in stateFolder: String) -> [String] {
    let folder = folder(stateFolder)
    return FileSystem.names(in: folder).filter { $0.hasSuffix(".json") }.sorted()
      .map { "\(folder)/\($0)" }
  }

  private static func folder(_ stateFolder: String) -> String { stateFolder + "/origins" }

  static func state(at path: String) -> OriginState? {
    guard let bytes = FileSystem.firstBytes(of: path, count: 1 << 20),
      let state = try? JSONDecoder().decode(OriginState.self, from: Data(bytes)),
      state.format == OriginState.format,
      (state.requiredFeatures ?? 0) & ~OriginState.knownFeatures == 0
    else { return nil }
    return state
  }
}

extension OriginStateFile: LayerRecord {
  var madeWritable: [PoolState.KnownDevice] { state.madeWritable }

  func add(_ layer: PoolState.KnownDevice) throws(MergeError) {
    var changed = state
    changed.madeWritable.append(layer)
    do throws(Errno) {
      try RecordFile.write(changed, to: path)
    } catch {
      throw .cannotWriteOriginRecord(originPath, path, error)
    }
    state = changed
  }

  func remove(_ layer: PoolState.KnownDevice) {
    state.madeWritable.removeAll { $0 == layer }
    // An outdated entry only costs the next run a check.
    if state.madeWritable.isEmpty {
      try? RecordFile.remove(path)
    } else {
      try? RecordFile.write(state, to: path)
    }
  }
}

/// The record of an origin, read without locking the origin.
struct OriginRecord {
  private let path: String
  /// Nil if the record cannot be read.
  private let state: OriginState?
  private let changedSeconds: Int64
  private let isInUse: Bool

  /// Nil if the record no longer exists.
  private init?(at path: String) {
    guard let status = try? FileStatus(path, role: "record") else { return nil }
    self.path = path
    changedSeconds = status.version.changeSeconds
    state = OriginStateFile.state(at: path)
    isInUse = RecordFile.isLocked(path, role: "lock of the origin")
  }

  static func all(in stateFolder: String) -> [OriginRecord] {
    OriginStateFile.paths(in: stateFolder).compactMap { OriginRecord(at: $0) }
  }

  /// Returns the recorded leftovers with their current state.
  func leftovers(_ devices: MappedDevices, bootID: String) -> OriginLeftovers {
    var left = OriginLeftovers(
      recordPath: path, recordedSeconds: changedSeconds, isInUse: isInUse)
    left.writableLayers = (state?.madeWritable ?? []).map {
      PoolLeftovers.WritableLayer($0, devices, bootID: bootID)
    }
    if state == nil { left.error = .cannotReadOriginRecord(path, path) }
    return left
  }
}

extension PoolLeftovers.WritableLayer {
  init(_ known: PoolState.KnownDevice, _ devices: MappedDevices, bootID: String) {
    let layer = known.now(in: devices, bootID: bootID)
    self.init(
      path: layer?.path ?? "/dev/mapper/\(known.name)", isWritable: layer.map { !$0.isReadOnly },
      volumeName: KnownVolume.fullName(mappedName: known.name, uuid: known.uuid))
  }
}
