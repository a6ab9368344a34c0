internal import FoundationEssentials
internal import SystemPackage

/// The record of a volume that runs have activated; each run that uses the volume holds a shared
/// lock on the record.
///
/// There is one record for each volume, in the folder `volumes`. A killed run leaves the record
/// behind without the lock.
final class ActivationRecord: Sendable {
  private static let format = 1
  /// The features that a reader must support, one bit each; none are defined yet.
  private static let knownFeatures: UInt64 = 0

  private struct State: Codable {
    var format = ActivationRecord.format
    /// The bit mask of features that a reader of this record must support; nil means 0.
    var requiredFeatures: UInt64?
    var volume: KnownVolume
    var bootID: String
  }

  let volume: KnownVolume
  /// The ID of the boot during which the volume was activated.
  let bootID: String
  let path: String
  private let lock: OpenFile

  private init(_ state: State, at path: String, lock: OpenFile) {
    volume = state.volume
    bootID = state.bootID
    self.path = path
    self.lock = lock
  }

  /// Runs `body` while no other run starts or stops using a volume.
  ///
  /// - Throws: `MergeError`: `busy` if another run does not finish that in time, `refused` if the
  ///   lock cannot be made; otherwise as `body` does.
  static func inTurn<Result>(
    _ stateFolder: String, _ body: () throws(MergeError) -> Result
  ) throws(MergeError) -> Result {
    let path = folder(stateFolder) + "/turn.lock"
    let turn: OpenFile?
    do throws(Errno) {
      turn = try RecordFile.lock(path, role: "lock of volumes", for: Program.answerTimeMax)
    } catch {
      throw .cannotWriteActivationRecord(path, error)
    }
    guard let turn else { throw .activationsLocked(path) }
    defer { withExtendedLifetime(turn) {} }
    return try body()
  }

  /// Opens the record of a volume with a shared lock, or creates it if the volume is about to be
  /// activated.
  ///
  /// - Precondition: It is this run's turn.
  /// - Returns: nil if the volume was active before any run used it.
  static func open(
    _ volume: KnownVolume, stateFolder: String, bootID: String, isActive: Bool
  ) throws(MergeError) -> ActivationRecord? {
    let path = "\(folder(stateFolder))/\(volume.uuid).json"
    if isActive {
      guard let state = state(at: path), state.bootID == bootID, let lock = shared(path) else {
        return nil
      }
      return ActivationRecord(state, at: path, lock: lock)
    }
    let state = State(volume: volume, bootID: bootID)
    do throws(Errno) {
      if !FileSystem.exists(path + ".lock") { _ = try FileSystem.make(path + ".lock") }
      try RecordFile.write(state, to: path)
    } catch {
      throw .cannotWriteActivationRecord(path, error)
    }
    guard let lock = shared(path) else { throw .activationsLocked(path + ".lock") }
    return ActivationRecord(state, at: path, lock: lock)
  }

  /// Returns all records that can be read.
  static func all(in stateFolder: String) -> [ActivationRecord] {
    paths(in: stateFolder).compactMap { path in
      guard let state = state(at: path), let lock = shared(path) else { return nil }
      return ActivationRecord(state, at: path, lock: lock)
    }
  }

  /// Returns true if any record exists.
  static func areThere(in stateFolder: String) -> Bool { !paths(in: stateFolder).isEmpty }

  private static func paths(in stateFolder: String) -> [String] {
    let folder = folder(stateFolder)
    return FileSystem.names(in: folder).filter { $0.hasSuffix(".json") }.sorted()
      .map { "\(folder)/\($0)" }
  }

  /// Returns true if no other run is using the volume.
  func isLastUser() -> Bool { (try? lock.lock()) == true }

  /// True if the record still exists and is from the same boot.
  var isThere: Bool { Self.state(at: path)?.bootID == bootID }

  func remove() { try? RecordFile.remove(path) }

  private static func folder(_ stateFolder: String) -> String { stateFolder + "/volumes" }

  private static func state(at path: String) -> State? {
    guard let bytes = FileSystem.firstBytes(of: path, count: 1 << 16),
      let state = try? JSONDecoder().decode(State.self, from: Data(bytes)),
      state.format == format, (state.requiredFeatures ?? 0) & ~knownFeatures == 0
    else { return nil }
    return state
  }

  private static func shared(_ path: String) -> OpenFile? {
    let file = try? OpenFile(
      path + ".lock", role: "lock of the volume", access: .readWrite, direct: false,
      onlyRegularFiles: true)
    return file?.lockAgainstWriters() == true ? file : nil
  }
}
