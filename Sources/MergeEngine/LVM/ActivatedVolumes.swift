internal import Synchronization
internal import SystemPackage

/// The LVM volumes that are active only while runs use them.
///
/// Each volume is recorded before it is activated. The last run that uses the volume deactivates
/// it; if that run is killed, a later run does.
package final class ActivatedVolumes: Sendable {
  private let stateFolder: String
  private let bootID: String
  private let runChange: @Sendable ([String]) -> Program.End
  private let note: @Sendable (MergeNote) -> Void
  /// An active volume, as device-mapper shows it.
  package struct ActiveVolume {
    /// The volume's current LVM name.
    package var fullName: String
    /// The volume's open count, not counting the volume's own layers.
    package var openCount: Int
  }

  /// Looks up an active volume; returns nil if the volume is not active, or if device-mapper does
  /// not answer.
  private let find: @Sendable (KnownVolume) -> ActiveVolume?
  private let used = Mutex<[ActivationRecord]>([])

  package init(
    stateFolder: String, bootID: String, runChange: @escaping @Sendable ([String]) -> Program.End,
    note: @escaping @Sendable (MergeNote) -> Void,
    find: @escaping @Sendable (KnownVolume) -> ActiveVolume?
  ) {
    self.stateFolder = stateFolder
    self.bootID = bootID
    self.runChange = runChange
    self.note = note
    self.find = find
  }

  /// Keeps a volume active until ``end()``.
  ///
  /// - `isActive`: asks device-mapper.
  /// - Throws: `MergeError`: `refused` if LVM does not activate the volume, or its record cannot be
  ///   written first; `busy` if another run is activating or deactivating volumes.
  package func use(
    _ volume: KnownVolume, isActive: () throws(MergeError) -> Bool
  ) throws(MergeError) {
    try ActivationRecord.inTurn(stateFolder) { () throws(MergeError) in
      let wasActive = try isActive()
      let record = try ActivationRecord.open(
        volume, stateFolder: stateFolder, bootID: bootID, isActive: wasActive)
      guard let record else { return }
      used.withLock { $0.append(record) }
      guard !wasActive else { return }
      let end = runChange(volume.activation)
      guard try isActive() else {
        throw .volumeNotActivated(volume.fullName, ActivationFailure(end, of: volume))
      }
      note(.volumeActivated(volume.fullName))
    }
  }

  /// Leaves a volume active even though it was activated only for use by runs.
  ///
  /// - Returns: true if this run has used the volume in that way.
  package func keep(_ volume: KnownVolume) -> Bool {
    let kept = used.withLock { records in
      defer { records.removeAll { $0.volume.uuids == volume.uuids } }
      return records.filter { $0.volume.uuids == volume.uuids }
    }
    // Any other run that uses the volume then finds no record, and leaves the volume active.
    try? ActivationRecord.inTurn(stateFolder) { () throws(MergeError) in
      for record in kept { record.remove() }
    }
    return !kept.isEmpty
  }

  /// Deactivates the volumes that this run used and no other run is using.
  ///
  /// - Returns: the volumes that could not be deactivated, which have been noted.
  @discardableResult
  package func end() -> [MergeNote] {
    let records = used.withLock { records in
      defer { records = [] }
      return records
    }
    return records.reversed().compactMap(deactivate)
  }

  /// Deactivates the volumes that killed runs left active.
  ///
  /// - Returns: the volumes that could not be deactivated, which have been noted, keyed by the path
  ///   of their record.
  @discardableResult
  package func settle() -> [String: MergeNote] {
    var failures: [String: MergeNote] = [:]
    for record in ActivationRecord.all(in: stateFolder) {
      failures[record.path] = deactivate(record)
    }
    return failures
  }

  /// Returns the volumes that were activated for runs and are still active, even if those runs have
  /// ended.
  ///
  /// - Throws: `MergeError` (`busy`) if another run is activating or deactivating volumes.
  package static func left(in stateFolder: String) throws(MergeError) -> [VolumeLeftovers] {
    guard ActivationRecord.areThere(in: stateFolder) else { return [] }
    // Outside its turn this check would lock the records: a run that ended meanwhile would not be
    // the last user, and would leave its volume active.
    return try ActivationRecord.inTurn(stateFolder) { () throws(MergeError) in
      ActivationRecord.all(in: stateFolder).map {
        VolumeLeftovers(
          name: $0.volume.fullName, recordPath: $0.path, isInUse: !$0.isLastUser())
      }
    }
  }

  private func deactivate(_ record: ActivationRecord) -> MergeNote? {
    do throws(MergeError) {
      return try ActivationRecord.inTurn(stateFolder) { () throws(MergeError) in
        record.isLastUser() ? deactivateInTurn(record) : nil
      }
    } catch {
      // The record stays for a later run.
      note(.notUndone(error))
      return .notUndone(error)
    }
  }

  private func deactivateInTurn(_ record: ActivationRecord) -> MergeNote? {
    // Another run may have deactivated the volume, or left it active.
    guard record.isThere else { return nil }
    guard record.bootID == bootID else {
      record.remove()
      return nil
    }
    let volume = record.volume
    // The volume may have been renamed since it was recorded.
    let before = find(volume)
    let end = runChange(volume.deactivation)
    switch find(volume) {
    case nil:
      record.remove()
      if let before { note(.volumeDeactivated(before.fullName)) }
      return nil
    case .some(let now) where now.openCount > 0:
      // The program that opened the volume wants it active.
      record.remove()
      note(.volumeStaysActive(now.fullName))
      return nil
    case .some(let now):
      let failure = MergeNote.volumeNotDeactivated(
        now.fullName, ActivationFailure(end, of: volume))
      note(failure)
      return failure
    }
  }
}
