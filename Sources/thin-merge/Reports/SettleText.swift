internal import MergeEngine

/// The leftovers of earlier runs in pools and at origins, for people.
struct SettleText {
  var left: Leftovers
  /// True if nothing was to be undone.
  var isList: Bool
  /// The pool that was named.
  var poolName: String?
  var style = ReportStyle.plain

  var text: String {
    let shown =
      left.pools.filter { !$0.isEmpty }.map { text(of: $0) } + left.origins.map { text(of: $0) }
      + left.volumes.map { text(of: $0) }
    guard !shown.isEmpty else {
      let place =
        poolName.map { "in pool \(TerminalText.forPeople($0))" } ?? "in any pool or at any origin"
      return "Earlier runs left nothing \(place).\n"
    }
    return shown.joined(separator: "\n")
  }

  private func text(of origin: OriginLeftovers) -> String {
    let heading =
      if origin.isInUse {
        "another run works on it, and undoes this itself."
      } else {
        isList ? "an earlier run left this." : "an earlier run had left this."
      }
    var text = ReportText("An origin without an active pool: \(heading)", style)
    add(
      origin.writableLayers, origin.notUndone, origin.error, origin.recordPath,
      origin.recordedSeconds, to: &text)
    if isList, !origin.isInUse, origin.error == nil { text.addNext("It is undone by:", .settle()) }
    return text.text
  }

  private func text(of volume: VolumeLeftovers) -> String {
    let heading =
      if volume.isInUse {
        "another run uses it, and deactivates it at its end."
      } else if volume.isUndone {
        "an earlier run had activated it; that is undone."
      } else {
        "an earlier run activated it."
      }
    var text = ReportText("Volume \(volume.name): \(heading)", style)
    for note in volume.notUndone { text.add("not undone", note.textInCommandTerms) }
    text.add("record", volume.recordPath)
    if isList, !volume.isInUse { text.addNext("It is deactivated by:", .settle()) }
    return text.text
  }

  /// Adds the common fields of the records of pools and origins.
  private func add(
    _ layers: [PoolLeftovers.WritableLayer], _ notUndone: [MergeNote], _ error: MergeError?,
    _ recordPath: String?, _ seconds: Int64?, journals: [PoolLeftovers.Journal] = [],
    to text: inout ReportText
  ) {
    var lines: [String] = []
    // Two layers of one volume have the same text.
    for line in layers.map(Self.line) where !lines.contains(line) { lines.append(line) }
    for line in lines { text.add("origin", line) }
    for journal in journals {
      text.add(
        "journal", "\(journal.path), of dev \(journal.deviceID) onto \(journal.originPath)")
    }
    for note in notUndone { text.add("not undone", note.textInCommandTerms) }
    if let error { text.add(isList ? "not read" : "not undone", error.inCommandTerms.message) }
    if let recordPath {
      let date = seconds.map { ", changed last on \(StatusText.date($0))" } ?? ""
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
        text.add("", "\(path) was suspended for it, and is suspended still")
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
    let name = pool.poolName.map { "Pool \($0)" } ?? "A pool that is not active"
    return switch pool.state {
    case .active where pool.recordPath == nil && !wasRecorded(pool):
      "\(name): no run has recorded anything of it."
    case .inUse: "\(name): another run works on it, and undoes this itself."
    case .notActive: "\(name): this is recorded, and stays until the pool is active."
    case .active where isList: "\(name): earlier runs left this."
    case .active: "\(name): earlier runs had left this."
    }
  }

  /// Returns true if a record contained something that was undone.
  private func wasRecorded(_ pool: PoolLeftovers) -> Bool {
    !pool.snapshots.isEmpty || !pool.removedDevices.isEmpty || !pool.writableLayers.isEmpty
      || pool.metadataSnapshot?.isUndone == true
  }

  private static func line(
    _ snapshot: PoolLeftovers.MetadataSnapshot, in pool: PoolLeftovers
  ) -> String {
    let place = snapshot.block.map { "at block \($0)" } ?? "asked for"
    guard !snapshot.isUndone else { return "\(place), not held any more" }
    let only =
      snapshot.maybeOnlyCopyOf.map {
        "; dev \($0) is merged in part from it, and if that was deleted, it is the only copy"
      } ?? ""
    guard pool.state != .notActive else { return place + only }
    return switch snapshot.owner {
    case .recorded: "\(place), held by thin-merge" + only
    case .maybe:
      "\(place), held by a run that was killed as it took one, or by another program"
    case .unrecorded:
      "\(place), held by another program, or by a run that was killed as it took it"
    }
  }

  private static func line(_ snapshot: PoolLeftovers.Snapshot) -> String {
    let name = "dev \(snapshot.deviceID), a snapshot of dev \(snapshot.originalID)"
    if snapshot.isUndone { return "\(name), deleted or not there" }
    if snapshot.isThere == false { return "\(name), which is not there (any more)" }
    let size =
      snapshot.byteCount.map { ", keeps up to \($0.formattedByteCount) from being freed" } ?? ""
    return switch snapshot.use {
    case .unfinishedMerge: "\(name)\(size), for a merge that is not finished"
    case .onlyCopy:
      "\(name)\(size); the thin device it was made of is gone, and this snapshot is the only copy"
    case .maybeOnlyCopy:
      "\(name)\(size); if the thin device it was made of is gone, it is the only copy"
    case .none: "\(name)\(size), not needed any more"
    }
  }

  private static func line(_ device: PoolLeftovers.RemovedDevice) -> String {
    if device.isActive { return "\(device.path), active again" }
    if device.isUndone { return "\(device.path), not recorded any more" }
    let command = device.volumeName.map { ": lvchange -ay \($0.shellQuoted)" } ?? ""
    return device.isPutBack
      ? "\(device.path), removed, and to be put back"
      : "\(device.path), removed, and stays so\(command)"
  }

  private static func line(_ layer: PoolLeftovers.WritableLayer) -> String {
    let name = layer.volumeName ?? layer.path
    if layer.isUndone { return "\(name), no longer writable for a merge" }
    return switch layer.isWritable {
    case true?: "\(name), made writable for a merge"
    case false?: "\(name), read-only again"
    case nil: "\(name), not there (any more)"
    }
  }

  private func addNext(of pool: PoolLeftovers, to text: inout ReportText) {
    guard let name = pool.poolName, pool.state == .active else { return }
    if isList, pool.recordPath != nil {
      text.addNext("What no unfinished merge needs is undone by:", .settle(pool: name))
    }
    if let snapshot = pool.metadataSnapshot, !snapshot.isUndone, snapshot.owner == .unrecorded {
      text.addNext(
        "If no other program needs the metadata snapshot:", commands: [MergeNote.release(name)])
    }
    for copy in pool.snapshots where copy.use == .onlyCopy && !copy.isUndone {
      text.addNext(
        "\(MergeNote.merging(copy.deviceID, pool: name)) merges dev \(copy.deviceID). To give the copy up:",
        commands: [MergeNote.delete(copy.deviceID, pool: name)])
    }
    for snapshot in pool.snapshots
    where snapshot.use == .unfinishedMerge && snapshot.isThere != false && !snapshot.isUndone {
      text.addNext(
        "If the merge is given up, which leaves its origin merged in part:",
        commands: [MergeNote.delete(snapshot.deviceID, pool: name)])
    }
  }
}
