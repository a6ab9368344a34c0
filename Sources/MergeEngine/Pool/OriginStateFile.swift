internal import FoundationEssentials
internal import SystemPackage

/// What this tool has done to an origin where no pool is active, and must undo.
struct OriginState: Equatable, Sendable, Codable {
  static let format = 1
  /// The features that a reader must know, one bit each; there is none yet.
  static let knownFeatures: UInt64 = 0

  var format = Self.format
  /// The mask of the features that a reader of this record must know; nil is 0.
  var requiredFeatures: UInt64?
  /// Layers of the origin that are writable for the time of a merge, the lowest first.
  var madeWritable: [PoolState.KnownDevice] = []
}

/// The file of an origin's record, locked: one for each origin, written before every step and after it.
///
/// A run that was killed leaves it, and the next merge settles it, of whatever origin.
final class OriginStateFile {
  private let path: String
  private(set) var state: OriginState
  private let originPath: String
  private let lock: OpenFile

  private init(_ path: String, _ state: OriginState, of originPath: String, lock: OpenFile) {
    self.path = path
    self.state = state
    self.originPath = originPath
    self.lock = lock
  }

  /// Opens the record of an origin, or begins one.
  ///
  /// `lowest`: the lowest layer that is made writable.
  /// - Throws: `MergeError`: `busy` where another run has it, `refused` where it cannot be read or written.
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
    guard let lock else { throw .originLocked(originPath, file: path + ".lock") }
    guard FileSystem.exists(path) else {
      return OriginStateFile(path, OriginState(), of: originPath, lock: lock)
    }
    guard let state = Self.state(at: path) else {
      throw .cannotReadOriginRecord(originPath, path)
    }
    return OriginStateFile(path, state, of: originPath, lock: lock)
  }

  /// Opens all records that runs left which are over.
  ///
  /// One that cannot be read is met by the next merge onto its origin.
  static func left(in stateFolder: String) -> [OriginStateFile] {
    let folder = folder(stateFolder)
    return FileSystem.names(in: folder).filter { $0.hasSuffix(".json") }.sorted()
      .compactMap { name in
        let path = "\(folder)/\(name)"
        guard let lock = try? RecordFile.lock(path + ".lock", role: "lock of the origin"),
          let state = state(at: path)
        else { return nil }
        return OriginStateFile(path, state, of: path, lock: lock)
      }
  }

  private static func folder(_ stateFolder: String) -> String { stateFolder + "/origins" }

  private static func state(at path: String) -> OriginState? {
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
    // A record that has more than there is to undo costs the next run a look.
    if state.madeWritable.isEmpty {
      try? RecordFile.remove(path)
    } else {
      try? RecordFile.write(state, to: path)
    }
  }
}
