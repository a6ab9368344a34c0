/// Why a journal is not of the merge that is wanted.
struct JournalDifference: Equatable {
  /// What the two merges differ in.
  enum Kind {
    /// A device is another one.
    case device
    /// A device has another size.
    case byteCount
    /// It is another merge of the same devices.
    case merge
    /// It is the same merge but for the thin device's mappings.
    case mappings
  }

  let kind: Kind
  /// As part of a sentence.
  let reason: String

  init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }
}

/// What an earlier run's journal means for the merge that is wanted now.
struct JournalMatch {
  /// The merge that is wanted.
  let wanted: JournalHeader
  let bootID: String
  let originIsTheSame: Bool
  /// Where devices without an identity are now, as a run records it.
  var dataPlace = ""
  var originPlace = ""
  /// The thin device's name in messages.
  var sourceName = "the thin device"

  /// What differs between the journal's merge and the wanted one; nil if they are the same.
  func difference(from found: JournalHeader) -> JournalDifference? {
    if found.deviceID != wanted.deviceID {
      return JournalDifference(
        .merge,
        "it is the journal of device \(found.deviceID), this merge is of device "
          + "\(wanted.deviceID)")
    }
    if let difference = Self.difference(
      "data device", found.dataIdentity, wanted.dataIdentity, path: wanted.dataPath,
      "merged from" + (found.dataPath == wanted.dataPath ? "" : ", \(found.dataPath)"))
    {
      return difference
    }
    var origin = found.originIdentity
    // A run that was stopped after the origin was extended finds it extended.
    if wanted.originIdentity.byteCount == found.grownOriginByteCount {
      origin.byteCount = wanted.originIdentity.byteCount
    }
    if let difference = Self.difference(
      "origin", origin, wanted.originIdentity, path: wanted.originPath,
      "merged onto" + (found.originPath == wanted.originPath ? "" : ", \(found.originPath)"))
    {
      return difference
    }
    guard found.fingerprint != wanted.fingerprint else { return nil }
    if found.endByteOffset != wanted.endByteOffset || found.pastEnd != wanted.pastEnd {
      return JournalDifference(
        .merge,
        "it merges up to byte \(found.endByteOffset) (--past-end \(found.pastEnd.rawValue)), "
          + "this merge up to byte \(wanted.endByteOffset) (--past-end \(wanted.pastEnd.rawValue))")
    }
    return JournalDifference(
      .mappings,
      "the device's mappings changed: the fingerprint is \(wanted.fingerprint), the journal's "
        + "\(found.fingerprint)")
  }

  /// Returns the reason to doubt that devices without an identity are those of the last run; nil for none.
  func doubt(_ found: JournalHeader, lastAttempt: JournalRecord.Attempt?) -> String? {
    guard !originIsTheSame,
      found.originIdentity.name.isEmpty || found.dataIdentity.name.isEmpty
    else { return nil }
    guard (lastAttempt?.bootID ?? found.bootID) == bootID else {
      return "a device of this merge has no identity, and the system was booted since"
    }
    for (role, before, now) in [
      ("origin", lastAttempt?.originPlace ?? "", originPlace),
      ("data device", lastAttempt?.dataPlace ?? "", dataPlace),
    ] where !before.isEmpty && before != now {
      return "the \(role) has no identity, and is \(now); it was \(before)"
    }
    return nil
  }

  /// Returns true for a journal of the same thin device, data device and origin.
  func isOfSameDevices(_ found: JournalHeader) -> Bool {
    found.deviceID == wanted.deviceID && found.dataIdentity.name == wanted.dataIdentity.name
      && found.originIdentity.name == wanted.originIdentity.name
  }

  private static func difference(
    _ role: String, _ found: DeviceIdentity, _ wanted: DeviceIdentity, path: String,
    _ use: String
  ) -> JournalDifference? {
    if found.name != wanted.name {
      return JournalDifference(
        .device,
        "the \(role) \(path) is not the one that was \(use); a copy counts as another "
          + "(\(name(wanted)), not \(name(found)))")
    }
    if found.byteCount != wanted.byteCount {
      return JournalDifference(
        .byteCount,
        "the \(role) \(path) has \(wanted.byteCount) bytes; it had \(found.byteCount)")
    }
    return nil
  }

  private static func name(_ identity: DeviceIdentity) -> String {
    identity.name.isEmpty ? "without identity" : identity.name
  }
}
