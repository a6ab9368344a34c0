// Errors about the merge that a journal records, and about the progress of that merge.

extension MergeError {
  static func noJournalOf(_ name: String) -> MergeError {
    MergeError(
      .noJournalOf, .journalConflict, "no such journal", at: name,
      because:
        "no file has that name, and no journal records a merge of or into such a device",
      context: Context(name: name))
  }

  static func severalJournals(_ name: String, _ paths: [String]) -> MergeError {
    MergeError(
      .severalJournals, .journalConflict, "several merges are unfinished", at: name,
      because: "their journals are \(paths.joined(separator: ", "))",
      hint: "use the path of one journal", context: Context(name: name))
  }

  static func twoJournals(_ paths: [String]) -> MergeError {
    MergeError(
      .twoJournals, .journalConflict, "the origin has two journals", at: paths[0],
      because: "\(paths.dropFirst().joined(separator: ", ")) is for the same device",
      context: Context(path: paths[0]))
  }

  /// Returns the error for a journal that records a merge other than the requested one.
  ///
  /// - `isFinished`: true if the recorded merge is finished.
  /// - `isResumed`: true if the user asked to resume from this journal.
  static func journalOfOtherMerge(
    _ path: String, _ difference: JournalDifference, deviceID: UInt32, isFinished: Bool,
    isResumed: Bool
  ) -> MergeError {
    var context = difference.context
    context.path = path
    context.deviceID = deviceID
    if isFinished { context.circumstances.insert(.isFinished) }
    if isResumed { context.circumstances.insert(.isResumed) }
    var what = "the journal belongs to another merge"
    if case .mappings(_, _, let changed?) = difference, !isFinished {
      what = "\(changed) was written to or recreated after the merge recorded its mappings"
    }
    return MergeError(
      difference.code, .journalConflict, what, at: path, because: difference.inWords,
      context: context)
  }

  static func notRecordedDevice(_ path: String, _ role: String) -> MergeError {
    MergeError(
      .notRecordedDevice, .journalConflict, "the journal belongs to another merge", at: path,
      because: "it is not the \(role) in the journal", context: Context(path: path, role: role))
  }

  static func bootedSince(_ journalPath: String) -> MergeError {
    deviceNotIdentified(
      journalPath,
      "a device of this merge has no stable identity, and the machine has rebooted since"
    )
  }

  static func foundElsewhere(
    _ journalPath: String, _ role: String, now: String, before: String
  ) -> MergeError {
    deviceNotIdentified(
      journalPath,
      "the \(role) has no stable identity, and is \(now); it was \(before)", role)
  }

  /// Returns the error for a device whose stable identity is missing either in the journal or on
  /// this system.
  static func identifiedOtherwise(
    _ journalPath: String, _ role: String, now: String, before: String
  ) -> MergeError {
    deviceNotIdentified(
      journalPath,
      now.isEmpty
        ? "the \(role) no longer has a stable identity; it was \(before)"
        : "the \(role) had no stable identity; now it is \(now)", role)
  }

  private static func deviceNotIdentified(
    _ path: String, _ why: String, _ role: String? = nil
  ) -> MergeError {
    MergeError(
      .deviceNotIdentified, .journalConflict, "cannot confirm that these are the same devices",
      at: path, because: why, context: Context(path: path, role: role))
  }

  /// Returns the error for a data device that the user declared to be a copy, but that contains
  /// none of the merged bytes.
  ///
  /// - `byteCount`: the number of recorded bytes that were compared.
  static func noCopyOfData(_ journalPath: String, byteCount: UInt64) -> MergeError {
    MergeError(
      .noCopyOfData, .journalConflict, "the data device is not a copy of the original",
      at: journalPath,
      because: "it matches none of the first transfers in the journal",
      hint: "use the right data device",
      context: Context(path: journalPath, counts: ["bytes": byteCount]))
  }

  /// Returns the error for a data device that has no stable identity, and whose bytes differ from
  /// those that were merged.
  ///
  /// - `changed`: how many of the first `count` recorded transfers differ.
  static func dataNotAsRecorded(
    _ path: String, journalPath: String, changed: Int, of count: Int
  ) -> MergeError {
    MergeError(
      .dataNotAsRecorded, .journalConflict, "the data device differs from the recorded checksums",
      at: path,
      because:
        "\(changed) of the first \(count) recorded transfers differ, and it has no identity to compare; "
        + "it is another device, or was written to since; nothing was written",
      context: Context(
        path: path, role: "data device", journalPath: journalPath,
        counts: ["changed": UInt64(changed), "transfers": UInt64(count)]))
  }

  /// Returns the error for merged bytes that are found neither on the origin nor on the copy of the
  /// data device.
  static func mergedBytesLost(
    _ originPath: String, journalPath: String, byteCount: UInt64, firstByteOffset: UInt64
  ) -> MergeError {
    MergeError(
      .mergedBytesLost, .stopped, "some merged data is lost", at: originPath,
      because:
        "\(byteCount.formattedByteCount), the first at byte \(firstByteOffset), match the journal neither "
        + "on the origin nor on the copy of the data device",
      hint: "resume with the original data device, if it is still readable",
      context: Context(
        path: originPath, journalPath: journalPath,
        counts: ["bytes": byteCount, "byte": firstByteOffset]))
  }

  static func finishedOtherwise(
    _ path: String, _ difference: JournalDifference, sourceName: String
  ) -> MergeError {
    let isSource = difference.code == .journalOfOtherMappings
    var context = difference.context
    context.path = path
    return MergeError(
      isSource ? .mappingsChanged : .otherMergeFinished, .journalConflict,
      isSource ? changedSource(sourceName) : "another merge of these devices is finished",
      at: path, because: afterFinished(difference.inWords), context: context)
  }

  /// Returns the sentence that explains why a finished merge cannot be done again, and that nothing
  /// was written.
  package static func afterFinished(_ difference: String) -> String {
    "\(difference); nothing was written"
  }

  static func mergeFinished(_ journalPath: String) -> MergeError {
    MergeError(
      .mergeFinished, .refused, "the merge is finished", at: journalPath,
      because: "there is nothing to resume")
  }

  /// Returns the error for a finished merge whose changes to the pool are not all undone.
  ///
  /// - `pool`: the pool's name; nil if the pool is not active.
  /// - `left`: the changes that are still to be undone.
  static func mergeNotSettled(
    _ journalPath: String, pool: String?, recordPath: String, _ left: [String]
  ) -> MergeError {
    MergeError(
      .mergeNotSettled, .busy,
      "the merge is finished, but a run's changes to its pool are not undone", at: journalPath,
      because:
        "according to \(recordPath), \(pool.map { "pool \($0)" } ?? "an inactive pool") still has "
        + left.joined(separator: ", "),
      hint: pool == nil
        ? "activate the pool, then settle it" : "settle the pool",
      context: Context(path: recordPath, journalPath: journalPath, pool: pool))
  }

  static func sourceChanged(
    _ journalPath: String, sourceName: String, _ source: RecordedDifference
  ) -> MergeError {
    MergeError(
      .sourceChanged, .journalConflict, changedSource(sourceName), at: journalPath,
      because: afterFinished(source.inWords),
      context: Context(path: journalPath, counts: ["source_bytes": source.byteCount]))
  }

  static func originChanged(
    _ journalPath: String, originPath: String, _ origin: RecordedDifference
  ) -> MergeError {
    MergeError(
      .originChanged, .journalConflict, changedOrigin(originPath), at: journalPath,
      because: afterFinished(origin.inWords),
      context: Context(path: journalPath, counts: ["origin_bytes": origin.byteCount]))
  }

  static func bothChanged(
    _ journalPath: String, sourceName: String, originPath: String, _ source: RecordedDifference,
    _ origin: RecordedDifference
  ) -> MergeError {
    MergeError(
      .bothChanged, .journalConflict,
      "\(changedSource(sourceName)), and \(changedOrigin(originPath))", at: journalPath,
      because: afterFinished("thin device: \(source.inWords); origin: \(origin.inWords)"),
      context: Context(
        path: journalPath,
        counts: ["source_bytes": source.byteCount, "origin_bytes": origin.byteCount]))
  }

  private static func changedSource(_ name: String) -> String {
    "\(name) was written to after the merge"
  }

  private static func changedOrigin(_ path: String) -> String {
    "\(path) was written to, or restored from a copy, after the merge"
  }

  static func recordsMissing(
    _ journalPath: String, byteCount: UInt64, of planned: UInt64
  ) -> MergeError {
    partlyCompared(
      .recordsMissing, journalPath, byteCount, planned,
      "\(byteCount) of \(planned) bytes are recorded")
  }

  /// Returns the error for a journal in which newer entries partly overwrite older ones, leaving
  /// some bytes without a checksum.
  static func checksumsMissing(
    _ journalPath: String, byteCount: UInt64, of planned: UInt64
  ) -> MergeError {
    partlyCompared(
      .checksumsMissing, journalPath, byteCount, planned,
      "the journal has checksums for \(byteCount) of \(planned) bytes")
  }

  static func mergeNotFinished(
    _ journalPath: String, byteCount: UInt64, of planned: UInt64
  ) -> MergeError {
    let how =
      byteCount < planned
      ? "\(byteCount) of \(planned) bytes are recorded"
      : "all bytes are recorded, but the source has not yet been checked for changes"
    return partlyCompared(
      .mergeNotFinished, journalPath, byteCount, planned, "the merge is unfinished: \(how)")
  }

  private static func partlyCompared(
    _ code: Code, _ journalPath: String, _ byteCount: UInt64, _ planned: UInt64, _ why: String
  ) -> MergeError {
    MergeError(
      code, .stopped, "only part of the merge was compared", at: journalPath, because: why,
      context: Context(path: journalPath, counts: ["bytes": byteCount, "planned_bytes": planned]))
  }

  static func notAllCompared(_ originPath: String, byteCount: UInt64) -> MergeError {
    MergeError(
      .notAllCompared, .stopped, "the comparison is incomplete", at: originPath,
      because: "\(byteCount.formattedByteCount) of the source or the origin are unreadable",
      hint:
        "see the kernel log; fix the cause, then run the same command again",
      context: Context(path: originPath, counts: ["bytes": byteCount]))
  }

  /// Returns the error for a byte that the journal records but the merge plan does not include,
  /// found while the work of earlier runs is being checked.
  static func journalUnmapped(byteOffset: UInt64) -> MergeError {
    MergeError(
      .journalUnmapped, .journalConflict,
      "the journal records bytes that the thin device does not map",
      at: "origin byte \(byteOffset)", because: "its fingerprint is that of the same mappings",
      context: Context(counts: ["byte": byteOffset]))
  }

  /// Returns the error for a byte that the journal records but the merge plan does not include,
  /// found by the final check of the journal.
  static func recordedNotMapped(_ journalPath: String, byteOffset: UInt64) -> MergeError {
    journalIncomplete(
      journalPath, byteOffset,
      "byte \(byteOffset) of the origin is recorded, but the thin device does not map it")
  }

  /// Returns the error for a byte of the merge plan that no journal entry records.
  static func mappedNotRecorded(_ journalPath: String, byteOffset: UInt64) -> MergeError {
    journalIncomplete(
      journalPath, byteOffset, "byte \(byteOffset) of the origin is not recorded")
  }

  private static func journalIncomplete(
    _ path: String, _ byteOffset: UInt64, _ why: String
  ) -> MergeError {
    MergeError(
      .journalIncomplete, .stopped, "the journal does not record the whole merge", at: path,
      because: why, context: Context(path: path, counts: ["byte": byteOffset]))
  }
}

/// A summary of how a device differs from what the journal records for it.
struct RecordedDifference {
  var byteCount: UInt64
  /// The offset on the origin of the first byte that differs.
  var firstByteOffset: UInt64

  /// The size and position of the difference, worded as part of a sentence.
  fileprivate var inWords: String {
    "\(byteCount.formattedByteCount) differ from the merged data, the first at byte "
      + "\(firstByteOffset) of the origin"
  }
}

/// The difference between the merge that a journal records and the requested merge.
enum JournalDifference: Equatable {
  /// The merges are of different thin devices; the values are their device IDs.
  case deviceID(found: UInt32, wanted: UInt32)
  /// The journal names a different origin or data device than the requested merge does.
  case device(RecordedRole, foundName: String, wantedName: String)
  /// A device's size differs from the size that the journal records.
  case byteCount(RecordedRole, found: UInt64, wanted: UInt64)
  /// The merges end at different bytes, or have different policies for blocks past the end.
  case end(found: UInt64, PastEndPolicy, wanted: UInt64, PastEndPolicy)
  /// Only the thin device's mappings differ; `found` and `wanted` are their fingerprints.
  ///
  /// - `changed`: what messages call the thin device, if its pool is known to be the same; nil
  ///   otherwise.
  case mappings(found: String, wanted: String, changed: String?)

  /// An origin or data device, with its paths in the journal and in the requested merge.
  struct RecordedRole: Equatable {
    /// The device's role: "origin" or "data device".
    var name: String
    /// The way in which the merge used the device: "merged into" or "merged from".
    var use: String
    var foundPath: String
    var path: String
  }

  /// The code of the error that reports the difference.
  var code: MergeError.Code {
    switch self {
    case .deviceID: .journalOfOtherThinDevice
    case .device: .journalOfOtherDevice
    case .byteCount: .journalOfOtherSize
    case .end: .journalOfOtherEnd
    case .mappings: .journalOfOtherMappings
    }
  }

  fileprivate var context: MergeError.Context {
    switch self {
    case .deviceID: MergeError.Context()
    case .mappings(_, _, let changed):
      MergeError.Context(name: changed, circumstances: changed == nil ? [] : [.isSameThinDevice])
    case .device(let role, _, _): MergeError.Context(role: role.name, name: role.path)
    case .byteCount(let role, let found, let wanted):
      MergeError.Context(
        role: role.name, name: role.path, counts: ["bytes": wanted, "recorded_bytes": found])
    case .end(let found, let foundPolicy, let wanted, let policy):
      MergeError.Context(
        counts: ["end": wanted, "recorded_end": found], pastEnd: policy,
        recordedPastEnd: foundPolicy)
    }
  }

  /// The difference between the two merges, worded as part of a sentence.
  fileprivate var inWords: String {
    switch self {
    case .deviceID(let found, let wanted):
      "it records a merge of dev \(found), not of dev \(wanted)"
    case .device(let role, let found, let wanted):
      "the \(role.name) \(role.path) is not the one that was \(role.use)"
        + (role.foundPath == role.path ? "" : ", \(role.foundPath)")
        + "; a copy is a different device (\(Self.name(wanted)), not \(Self.name(found)))"
    case .byteCount(let role, let found, let wanted):
      "the \(role.name) \(role.path) has \(wanted) bytes; it had \(found)"
    case .end(let found, let foundPolicy, let wanted, let policy):
      "that merge ends at byte \(found) (past the end: \(foundPolicy.rawValue)), this merge ends at "
        + "byte \(wanted) (past the end: \(policy.rawValue))"
    case .mappings(let found, let wanted, _):
      "the thin device's mappings changed: the fingerprint is \(wanted); the journal has \(found)"
    }
  }

  private static func name(_ identity: String) -> String {
    identity.isEmpty ? "without identity" : identity
  }
}
