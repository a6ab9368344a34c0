internal import FoundationEssentials
internal import SystemPackage

/// The changes to an origin that this tool made for a merge without an active pool, and must undo.
struct OriginState: Equatable, Sendable, Codable {
  static let format = 1
  /// The record features that this version can read, one bit each; none exist yet.
  static let knownFeatures: UInt64 = 0

  var format = Self.format
  /// The mask of the features that a reader of this record must know; nil means 0.
  var requiredFeatures: UInt64?
  /// Read-only layers of the origin that were made writable for the duration of a merge, lowest
  /// first.
  var madeWritable: [PoolState.KnownDevice] = []
}

/// An origin's record file, locked while this run uses it, and written before and after each step.
///
/// If a run is killed, its file stays behind, and the next merge onto any origin undoes what it
/// records.
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

  /// Locks and opens an origin's record, or begins a new record if the origin has none.
  ///
  /// - `lowest`: the lowest layer to make writable; the record is named after it.
  /// - Throws: `MergeError`: `busy` if another run is using the record, `refused` if the record
  ///   cannot be locked or read.
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

  /// Locks and opens all records left behind by runs that have ended.
  ///
  /// Unreadable records are skipped; the next merge onto such a record's origin reports the
  /// problem.
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
    // Errors are ignored: an outdated entry only costs the next run a check.
    if state.madeWritable.isEmpty {
      try? RecordFile.remove(path)
    } else {
      try? RecordFile.write(state, to: path)
    }
  }
}

/// The record of an origin, read without taking the record's lock.
struct OriginRecord {
  private let path: String
  /// The recorded changes; nil if the record cannot be read.
  private let state: OriginState?
  private let changedSeconds: Int64
  private let isInUse: Bool

  /// Reads the record at a path; nil if the record no longer exists.
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

  /// Returns the leftovers that the record lists, with their current state.
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
