internal import Synchronization
internal import SystemPackage

/// The volumes of LVM that are active only while runs use them.
///
/// Each is recorded before it is activated. The last run that uses it deactivates it, or a later one where that was
/// killed.
package final class ActivatedVolumes: Sendable {
  private let stateFolder: String
  private let bootID: String
  private let runChange: @Sendable ([String]) -> Program.End
  private let note: @Sendable (MergeNote) -> Void
  /// A volume that is active, as device-mapper has it.
  package struct ActiveVolume {
    /// The name that it has now in LVM.
    package var fullName: String
    /// How many have it open, besides its own layers.
    package var openCount: Int
  }

  /// Looks for a volume; nil where it is not active, or that cannot be asked.
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

  /// Has a volume active until ``end()``.
  ///
  /// - `isActive`: asks device-mapper.
  /// - Throws: `MergeError`: `refused` where LVM does not activate it, or that cannot be recorded first; `busy` where
  ///   another run is activating or deactivating volumes.
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

  /// Leaves a volume active that was activated for runs.
  ///
  /// - Returns: Whether this run has used it so.
  package func keep(_ volume: KnownVolume) -> Bool {
    let kept = used.withLock { records in
      defer { records.removeAll { $0.volume.uuids == volume.uuids } }
      return records.filter { $0.volume.uuids == volume.uuids }
    }
    // Whoever else uses it finds no record then.
    try? ActivationRecord.inTurn(stateFolder) { () throws(MergeError) in
      for record in kept { record.remove() }
    }
    return !kept.isEmpty
  }

  /// Deactivates what no other run uses.
  ///
  /// - Returns: what could not be deactivated, which has been noted.
  @discardableResult
  package func end() -> [MergeNote] {
    let records = used.withLock { records in
      defer { records = [] }
      return records
    }
    return records.reversed().compactMap(deactivate)
  }

  /// Deactivates what killed runs left active.
  ///
  /// - Returns: what could not be deactivated, which has been noted, by the record that has it.
  @discardableResult
  package func settle() -> [String: MergeNote] {
    var failures: [String: MergeNote] = [:]
    for record in ActivationRecord.all(in: stateFolder) {
      failures[record.path] = deactivate(record)
    }
    return failures
  }

  /// The volumes that are active for runs, whether these are over or not.
  ///
  /// - Throws: `MergeError` (`busy`) where another run is activating or deactivating volumes.
  package static func left(in stateFolder: String) throws(MergeError) -> [VolumeLeftovers] {
    guard ActivationRecord.areThere(in: stateFolder) else { return [] }
    // Whoever ends in between would not be the last user, and leave the volume active.
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
    // Another run may have settled it, or left it active.
    guard record.isThere else { return nil }
    guard record.bootID == bootID else {
      record.remove()
      return nil
    }
    let volume = record.volume
    // It may have been renamed since it was recorded.
    let before = find(volume)
    let end = runChange(volume.deactivation)
    switch find(volume) {
    case nil:
      record.remove()
      if let before { note(.volumeDeactivated(before.fullName)) }
      return nil
    case .some(let now) where now.openCount > 0:
      // Whoever opened it wants it active.
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
