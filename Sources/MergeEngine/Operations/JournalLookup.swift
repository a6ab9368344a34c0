/// Finds a merge's journal by the names of the merge's devices.
struct JournalLookup {
  let environment: Environment

  /// Implements ``Merger/journalPath(named:)``.
  func path(named text: String) throws(MergeError) -> String {
    let name = ThinDeviceName(text)
    guard !FileSystem.exists(text) || FileSystem.blockDevice(at: text) != nil,
      name.logicalVolume != nil || name.mappedName != nil
    else { return text }
    let volume = try volume(name)
    let found = environment.journals.knownPaths().compactMap {
      try? environment.journals.look(at: $0)
    }.filter { isOf(name, volume, $0) }
    guard !found.isEmpty else { throw .noJournalOf(text) }
    let unfinished = found.filter { !$0.state.isFinished && $0.state.givenUp == nil }
    guard unfinished.count <= 1 else {
      throw .severalJournals(text, unfinished.map(\.file.path))
    }
    let latest = found.max { $0.state.lastSeconds < $1.state.lastSeconds }
    return (unfinished.first ?? latest)?.file.path ?? text
  }

  /// Implements ``Merger/handoverJournalPath(named:)``.
  func handoverPath(named text: String) throws(MergeError) -> String? {
    let name = ThinDeviceName(text)
    guard let (group, volume) = name.logicalVolume else { return nil }
    let found = environment.journals.knownPaths().compactMap {
      try? environment.journals.look(at: $0)
    }.filter { journal in
      if let handover = journal.state.handover {
        return handover.groupName == group && handover.thinName == volume
      }
      // The thin volume may have been removed by hand.
      let known = journal.header.thinDeviceName.flatMap { ThinDeviceName($0).logicalVolume }
      return journal.state.isFinished && journal.header.thinVolume != nil
        && known?.group == group && known?.volume == volume
    }.max { $0.state.lastSeconds < $1.state.lastSeconds }
    guard let found else { return nil }
    guard let (volumes, now) = try self.volume(name) else { return found.file.path }
    // When LVM converts a volume to a thin volume, it gives the new thin volume the name and UUID
    // of the original one.
    return now.uuid == found.state.handover?.originUUID && volumes.externalOrigin(of: now) == nil
      ? found.file.path : nil
  }

  /// Returns the volume that currently has the given name, which may have belonged to another
  /// volume when a merge started; nil if LVM has no such volume.
  private func volume(
    _ name: ThinDeviceName
  ) throws(MergeError) -> (volumes: LogicalVolumes, volume: LogicalVolumes.Volume)? {
    guard let (group, volume) = name.logicalVolume else { return nil }
    do throws(LogicalVolumes.NoAnswer) {
      let volumes = try LogicalVolumes(.name(group), run: environment.runProgram)
      return volumes.flatMap { volumes in volumes[volume].map { (volumes, $0) } }
    } catch {
      throw .lvmSilent(name.text, after: Program.answerTimeMax, suspended: [])
    }
  }

  private func isOf(
    _ name: ThinDeviceName, _ known: (volumes: LogicalVolumes, volume: LogicalVolumes.Volume)?,
    _ journal: OpenJournal
  ) -> Bool {
    let header = journal.header
    let originPath = journal.state.lastAttempt?.originPath ?? header.originPath
    guard let (volumes, volume) = known else {
      return [header.thinDeviceName, originPath].compactMap { $0 }.contains {
        ThinDeviceName($0).mappedName.map {
          [name.mappedName, name.mappedName.map { $0 + "-real" }]
            .contains($0)
        } ?? false
      }
    }
    let uuids = volumes.known(volume).uuids
    if VolumeUUIDs(identity: header.originIdentity) == uuids { return true }
    if let thin = header.thinVolume { return thin == uuids }
    // A journal written by version 0.1.0 contains only the thin device's ID.
    guard let data = VolumeUUIDs(identity: header.dataIdentity),
      data.group == uuids.group,
      let pool = volumes[uuid: data.volume].flatMap(volumes.pool(withData:))
    else { return false }
    return volume.pool == pool.name && volume.deviceID == header.deviceID
  }
}
