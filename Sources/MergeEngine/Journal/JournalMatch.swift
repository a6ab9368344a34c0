/// Compares the merge recorded in a journal with the merge requested now.
///
/// `JournalStore` acts on the result.
struct JournalMatch {
  /// The merge requested now.
  let wanted: JournalHeader
  let bootID: String
  let originIsTheSame: Bool
  /// True if the user states that the data device is a copy of the one recorded in the journal.
  var dataIsTheSame = false
  /// The locations of devices without an identity, as a run would record them now.
  var dataPlace = ""
  var originPlace = ""
  /// The name used for the thin device in messages.
  var sourceName = "the thin device"

  /// Returns the first difference between the journal's merge and the requested merge; nil if they
  /// are the same.
  func difference(from found: JournalHeader) -> JournalDifference? {
    if found.deviceID != wanted.deviceID {
      return .deviceID(found: found.deviceID, wanted: wanted.deviceID)
    }
    let data = JournalDifference.RecordedRole(
      name: "data device", use: "merged from", foundPath: found.dataPath, path: wanted.dataPath)
    var dataIdentity = found.dataIdentity
    // A pool may have grown, and the plan has already checked that all mappings lie within the
    // device. Without an identity, the size is the only way to tell devices apart.
    if !dataIdentity.name.isEmpty { dataIdentity.byteCount = wanted.dataIdentity.byteCount }
    let isOtherNode =
      found.dataIdentity.name != wanted.dataIdentity.name
      && found.dataIdentity.hasSameBytes(as: wanted.dataIdentity)
    if !dataIsTheSame, !isOtherNode,
      let difference = Self.difference(data, dataIdentity, wanted.dataIdentity)
    {
      return difference
    }
    if let difference = Self.originDifference(
      from: found, wanted.originIdentity, path: wanted.originPath)
    {
      return difference
    }
    guard found.fingerprint != wanted.fingerprint else { return nil }
    if found.endByteOffset != wanted.endByteOffset || found.pastEnd != wanted.pastEnd {
      return .end(
        found: found.endByteOffset, found.pastEnd, wanted: wanted.endByteOffset, wanted.pastEnd)
    }
    return .mappings(
      found: found.fingerprint.description, wanted: wanted.fingerprint.description,
      changed: found.hasIdentifiedData(wanted.dataIdentity) ? sourceName : nil)
  }

  /// Returns a reason to doubt that devices without an identity are the ones that the last run
  /// used; nil if there is no such reason.
  func doubt(
    _ path: String, _ found: JournalHeader, lastAttempt: JournalRecord.Attempt?
  ) -> MergeError? {
    guard !originIsTheSame else { return nil }
    for (role, before, now) in [
      ("origin", found.originIdentity, wanted.originIdentity),
      ("data device", found.dataIdentity, wanted.dataIdentity),
    ] where before.name != now.name {
      if before.hasSameBytes(as: now) || (role == "data device" && dataIsTheSame) { continue }
      return .identifiedOtherwise(path, role, now: now.name, before: before.name)
    }
    guard
      found.originIdentity.name.isEmpty
        || (found.dataIdentity.name.isEmpty && !dataIsTheSame)
    else { return nil }
    guard (lastAttempt?.bootID ?? found.bootID) == bootID else { return .bootedSince(path) }
    for (role, before, now) in [
      ("origin", lastAttempt?.originPlace ?? "", originPlace),
      ("data device", dataIsTheSame ? "" : lastAttempt?.dataPlace ?? "", dataPlace),
    ] where !before.isEmpty && before != now {
      return .foundElsewhere(path, role, now: now, before: before)
    }
    return nil
  }

  /// Returns true if the journal is for the same thin device, data device, and origin.
  ///
  /// A different data device with the same mappings counts as a copy of the journal's data device.
  func isOfSameDevices(_ found: JournalHeader) -> Bool {
    found.deviceID == wanted.deviceID
      && (found.dataIdentity.hasSameBytes(as: wanted.dataIdentity)
        || found.fingerprint == wanted.fingerprint)
      && (found.originIdentity.name == wanted.originIdentity.name
        || found.originIdentity.hasSameBytes(as: wanted.originIdentity))
  }

  /// Returns the difference between a journal's origin and the given device; nil if they are the
  /// same.
  static func originDifference(
    from found: JournalHeader, _ wanted: DeviceIdentity, path: String
  ) -> JournalDifference? {
    var identity = found.originIdentity
    // An earlier run may have extended the origin before it stopped.
    if wanted.byteCount == found.grownOriginByteCount { identity.byteCount = wanted.byteCount }
    if identity.hasSameBytes(as: wanted), identity.byteCount == wanted.byteCount { return nil }
    let origin = JournalDifference.RecordedRole(
      name: "origin", use: "merged into", foundPath: found.originPath, path: path)
    return difference(origin, identity, wanted)
  }

  private static func difference(
    _ role: JournalDifference.RecordedRole, _ found: DeviceIdentity, _ wanted: DeviceIdentity
  ) -> JournalDifference? {
    // If either identity is unknown, `doubt` decides whether the devices are the same.
    if found.name != wanted.name, !found.name.isEmpty, !wanted.name.isEmpty {
      return .device(role, foundName: found.name, wantedName: wanted.name)
    }
    if found.byteCount != wanted.byteCount {
      return .byteCount(role, found: found.byteCount, wanted: wanted.byteCount)
    }
    return nil
  }
}

extension JournalHeader {
  /// Returns true if `identity` shows that a data device is the one recorded in the journal.
  func hasIdentifiedData(_ identity: DeviceIdentity) -> Bool {
    !dataIdentity.name.isEmpty && dataIdentity.hasSameBytes(as: identity)
  }
}
