/// Compares the merge that a journal records with the one that is wanted now.
///
/// What follows from it, `JournalStore` decides.
struct JournalMatch {
  /// The merge that is wanted.
  let wanted: JournalHeader
  let bootID: String
  let originIsTheSame: Bool
  /// Whether the data device is said to be a copy of the journal's.
  var dataIsTheSame = false
  /// Where devices without an identity are now, as a run records it.
  var dataPlace = ""
  var originPlace = ""
  /// The thin device's name in messages.
  var sourceName = "the thin device"

  /// What differs between the journal's merge and the wanted one; nil if they are the same.
  func difference(from found: JournalHeader) -> JournalDifference? {
    if found.deviceID != wanted.deviceID {
      return .deviceID(found: found.deviceID, wanted: wanted.deviceID)
    }
    let data = JournalDifference.RecordedRole(
      name: "data device", use: "merged from", foundPath: found.dataPath, path: wanted.dataPath)
    var dataIdentity = found.dataIdentity
    // A pool grows, and the plan has found that all mappings lie on the device. Without an identity the size
    // is the only thing that tells it from others.
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

  /// Returns the reason to doubt that devices without an identity are those of the last run; nil for none.
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

  /// Returns true for a journal of the same thin device, data device and origin.
  ///
  /// A data device with the very same mappings is a copy of the journal's.
  func isOfSameDevices(_ found: JournalHeader) -> Bool {
    found.deviceID == wanted.deviceID
      && (found.dataIdentity.hasSameBytes(as: wanted.dataIdentity)
        || found.fingerprint == wanted.fingerprint)
      && (found.originIdentity.name == wanted.originIdentity.name
        || found.originIdentity.hasSameBytes(as: wanted.originIdentity))
  }

  /// What differs between a journal's origin and another one; nil if they are the same.
  static func originDifference(
    from found: JournalHeader, _ wanted: DeviceIdentity, path: String
  ) -> JournalDifference? {
    var identity = found.originIdentity
    // A run that was stopped after the origin was extended finds it extended.
    if wanted.byteCount == found.grownOriginByteCount { identity.byteCount = wanted.byteCount }
    if identity.hasSameBytes(as: wanted), identity.byteCount == wanted.byteCount { return nil }
    let origin = JournalDifference.RecordedRole(
      name: "origin", use: "merged onto", foundPath: found.originPath, path: path)
    return difference(origin, identity, wanted)
  }

  private static func difference(
    _ role: JournalDifference.RecordedRole, _ found: DeviceIdentity, _ wanted: DeviceIdentity
  ) -> JournalDifference? {
    // Where one of them is not known, `doubt` asks whether they are the same.
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
  /// Returns whether a data device is known to be the journal's.
  func hasIdentifiedData(_ identity: DeviceIdentity) -> Bool {
    !dataIdentity.name.isEmpty && dataIdentity.hasSameBytes(as: identity)
  }
}
