internal import MergeEngine

/// The leftovers from earlier runs in pools and at origins, as text for people.
struct SettleText {
  var left: Leftovers
  /// True if leftovers are only listed, not undone.
  var isList: Bool
  /// The name of the pool that was given; nil if none was.
  var poolName: String?
  var style = ReportStyle.plain

  var text: String {
    let shown =
      left.pools.filter { !$0.isEmpty }.map { text(of: $0) } + left.origins.map { text(of: $0) }
      + left.volumes.map { text(of: $0) }
    guard !shown.isEmpty else {
      let place =
        poolName.map { "in pool \(TerminalText.forPeople($0))" } ?? "in any pool or at any origin"
      return "Earlier runs left nothing behind \(place).\n"
    }
    return shown.joined(separator: "\n")
  }

  private func text(of origin: OriginLeftovers) -> String {
    let heading =
      if origin.isInUse {
        "in use by another thin-merge run, which undoes this itself"
      } else {
        isList ? "left behind by an earlier run" : "cleanup after an earlier run"
      }
    var text = ReportText("Origin without an active pool: \(heading)", style)
    add(
      origin.writableLayers, origin.notUndone, origin.error, origin.recordPath,
      origin.recordedSeconds, to: &text)
    if isList, !origin.isInUse, origin.error == nil { text.addNext("To undo it:", .settle()) }
    return text.text
  }

  private func text(of volume: VolumeLeftovers) -> String {
    let heading =
      if volume.isInUse {
        "in use by another thin-merge run, which deactivates it at the end"
      } else if volume.isUndone {
        "activated by an earlier run; undone"
      } else {
        "activated by an earlier run"
      }
    var text = ReportText("Volume \(volume.name): \(heading)", style)
    for note in volume.notUndone { text.add("not undone", note.textInCommandTerms) }
    text.add("record", volume.recordPath)
    if isList, !volume.isInUse { text.addNext("To deactivate it:", .settle()) }
    return text.text
  }

  /// Adds the fields that the records for pools and for origins have in common.
  private func add(
    _ layers: [PoolLeftovers.WritableLayer], _ notUndone: [MergeNote], _ error: MergeError?,
    _ recordPath: String?, _ seconds: Int64?, journals: [PoolLeftovers.Journal] = [],
    to text: inout ReportText
  ) {
    var lines: [String] = []
    // The lines for two layers of the same volume are identical.
    for line in layers.map(Self.line) where !lines.contains(line) { lines.append(line) }
    for line in lines { text.add("origin", line) }
    for journal in journals {
      text.add(
        "journal", "\(journal.path), dev \(journal.deviceID) into \(journal.originPath)")
    }
    for note in notUndone { text.add("not undone", note.textInCommandTerms) }
    if let error { text.add(isList ? "unreadable" : "not undone", error.inCommandTerms.message) }
    if let recordPath {
      let date = seconds.map { ", last changed at \(StatusText.date($0))" } ?? ""
      text.add("record", recordPath + date)
    }
  }

  private func text(of pool: PoolLeftovers) -> String {
    var text = ReportText(heading(of: pool), style)
    if let snapshot = pool.metadataSnapshot {
      text.add("metadata snapshot", Self.line(snapshot, in: pool))
    }
    for snapshot in pool.snapshots {
      text.add("snapshot", Self.line(snapshot))
      if let path = snapshot.suspendedDevicePath {
        text.add("", "\(path) was suspended for it and is still suspended")
      }
    }
    for device in pool.removedDevices { text.add("thin device", Self.line(device)) }
    add(
      pool.writableLayers, pool.notUndone, pool.error, pool.recordPath, pool.recordedSeconds,
      journals: pool.journals, to: &text)
    addNext(of: pool, to: &text)
    return text.text
  }

  private func heading(of pool: PoolLeftovers) -> String {
    let name = pool.poolName.map { "Pool \($0)" } ?? "Inactive pool"
    return switch pool.state {
    case .active where pool.recordPath == nil && !wasRecorded(pool):
      "\(name): no thin-merge run recorded any changes"
    case .inUse: "\(name): in use by another thin-merge run, which undoes this itself"
    case .notActive: "\(name): recorded changes, kept until the pool is active"
    case .active where isList: "\(name): left behind by earlier runs"
    case .active: "\(name): cleanup after earlier runs"
    }
  }

  /// Returns true if a pool's record contained changes that have been undone.
  private func wasRecorded(_ pool: PoolLeftovers) -> Bool {
    !pool.snapshots.isEmpty || !pool.removedDevices.isEmpty || !pool.writableLayers.isEmpty
      || pool.metadataSnapshot?.isUndone == true
  }

  private static func line(
    _ snapshot: PoolLeftovers.MetadataSnapshot, in pool: PoolLeftovers
  ) -> String {
    let place = snapshot.block.map { "at block \($0)" } ?? "requested"
    guard !snapshot.isUndone else { return "\(place), no longer held" }
    let only =
      snapshot.maybeOnlyCopyOf.map {
        "; dev \($0) is partially merged from it; if dev \($0) was deleted, this is the only copy"
      } ?? ""
    guard pool.state != .notActive else { return place + only }
    return switch snapshot.owner {
    case .recorded: "\(place), held by thin-merge" + only
    case .maybe:
      "\(place), held by a run that was killed while taking one, or by another program"
    case .unrecorded:
      "\(place), held by another program, or by a run that was killed while taking it"
    }
  }

  private static func line(_ snapshot: PoolLeftovers.Snapshot) -> String {
    let name = "dev \(snapshot.deviceID), a snapshot of dev \(snapshot.originalID)"
    if snapshot.isUndone { return "\(name), deleted or already gone" }
    if snapshot.isThere == false { return "\(name), gone or never created" }
    let size =
      snapshot.byteCount.map { ", holds up to \($0.formattedByteCount) of pool space" } ?? ""
    return switch snapshot.use {
    case .unfinishedMerge: "\(name)\(size), needed by an unfinished merge"
    case .onlyCopy:
      "\(name)\(size); its thin device is gone, and this snapshot is the only copy"
    case .maybeOnlyCopy:
      "\(name)\(size); if its thin device is gone, this snapshot is the only copy"
    case .none: "\(name)\(size), no longer needed"
    }
  }

  private static func line(_ device: PoolLeftovers.RemovedDevice) -> String {
    if device.isActive { return "\(device.path), active again" }
    if device.isUndone { return "\(device.path), no longer recorded" }
    let command =
      device.volumeName.map { "; activate it with: lvchange -ay \($0.shellQuoted)" } ?? ""
    return device.isPutBack
      ? "\(device.path), removed; to be put back"
      : "\(device.path), removed; it stays removed\(command)"
  }

  private static func line(_ layer: PoolLeftovers.WritableLayer) -> String {
    let name = layer.volumeName ?? layer.path
    if layer.isUndone { return "\(name), no longer writable for a merge" }
    return switch layer.isWritable {
    case true?: "\(name), made writable for a merge"
    case false?: "\(name), read-only again"
    case nil: "\(name), no such device"
    }
  }

  private func addNext(of pool: PoolLeftovers, to text: inout ReportText) {
    guard let name = pool.poolName, pool.state == .active else { return }
    if isList, pool.recordPath != nil {
      text.addNext("To undo everything that no unfinished merge needs:", .settle(pool: name))
    }
    if let snapshot = pool.metadataSnapshot, !snapshot.isUndone, snapshot.owner == .unrecorded {
      text.addNext(
        "If no other program needs the metadata snapshot, release it:",
        commands: [MergeNote.release(name)])
    }
    for copy in pool.snapshots where copy.use == .onlyCopy && !copy.isUndone {
      text.addNext(
        "To merge dev \(copy.deviceID), with the origin and the size of its thin device:",
        .merge([
          "--pool", name, "--dev-id", "\(copy.deviceID)", "--origin", "ORIGIN", "--thin-size",
          "SIZE",
        ]))
      text.addNext(
        "To give up the copy:", commands: [MergeNote.delete(copy.deviceID, pool: name)])
    }
    for snapshot in pool.snapshots
    where snapshot.use == .unfinishedMerge && snapshot.isThere != false && !snapshot.isUndone {
      text.addNext(
        "To give up the merge, which leaves its origin partially merged:",
        commands: [MergeNote.delete(snapshot.deviceID, pool: name)])
    }
  }
}
