internal import SystemPackage

/// A defect in a journal, or a failure to read one.
package struct JournalFault: Error, Equatable, Sendable {
  /// The machine-readable reason for the fault.
  package var code: MergeError.Code
  /// The human-readable reason for the fault.
  package var reason: String
  /// A suggested remedy, if one is known.
  private var hint: String?
  /// The numbers that the reason mentions, by name.
  private var counts: [String: UInt64]
  private var errorNumber: Int32?

  private init(
    _ code: MergeError.Code, _ reason: String, hint: String? = nil, counts: [String: UInt64] = [:]
  ) {
    self.code = code
    self.reason = reason
    self.hint = hint
    self.counts = counts
  }

  /// Returns the fault as an error; used only before anything has been written.
  package func conflict(path: String) -> MergeError {
    let isReadError = code == .cannotReadJournal
    var error = MergeError(
      code, isReadError ? .refused : .journalConflict,
      "cannot \(isReadError ? "read" : "use") the journal", at: path, because: reason, hint: hint,
      context: MergeError.Context(path: path, counts: counts))
    error.context.errorNumber = errorNumber
    return error
  }
}

// Faults in a journal's content.

extension JournalFault {
  static func cannotRead(_ errno: Errno) -> JournalFault {
    var fault = JournalFault(
      .cannotReadJournal, "\(errno)",
      hint: "see the kernel log about the device that it is on")
    fault.errorNumber = errno.rawValue
    return fault
  }

  // MARK: The header

  static func notOne() -> JournalFault {
    JournalFault(.notJournal, "it is not a thin-merge journal")
  }

  static func cutInFirstBytes() -> JournalFault {
    JournalFault(.journalHeaderCut, "it is truncated within its header")
  }

  static func headerCut() -> JournalFault {
    JournalFault(.journalHeaderCut, "its header is truncated")
  }

  static func version(_ version: UInt32, expected: UInt32) -> JournalFault {
    JournalFault(
      .journalVersionUnknown, "its format version is \(version); expected \(expected)",
      hint: "use the version of thin-merge that wrote it",
      counts: ["version": UInt64(version)])
  }

  static func newer() -> JournalFault {
    JournalFault(
      .journalNewer, "it was written by a newer thin-merge",
      hint: "use the version that started this merge")
  }

  static func headerSize(_ byteCount: UInt32, unit: UInt64, max: Int) -> JournalFault {
    JournalFault(
      .journalHeaderSizeInvalid,
      "its header's size field is \(byteCount); expected a multiple of \(unit), at most \(max)",
      counts: ["bytes": UInt64(byteCount)])
  }

  static func headerChecksum() -> JournalFault {
    JournalFault(.journalHeaderChecksumWrong, "its header's checksum is wrong")
  }

  static func headerField() -> JournalFault {
    JournalFault(
      .journalHeaderFieldInvalid, "its header lacks a required field or has an invalid one")
  }

  // MARK: Records

  private init(at byteOffset: UInt64, _ code: MergeError.Code, _ reason: String) {
    self.init(code, reason, counts: ["byte": byteOffset])
  }

  /// Returns the fault for an unknown record with a valid checksum, which a torn write cannot
  /// produce.
  static func recordUnknown(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalRecordUnknown,
      "this version does not understand the record at byte \(byteOffset)")
  }

  /// Returns the fault for an invalid record that is followed by later appends, which a torn write
  /// cannot produce.
  static func damaged(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalDamaged,
      "it is damaged: the record at byte \(byteOffset) is invalid, but later records are valid")
  }

  static func unreadableOutside(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBytesOutside,
      "the record at byte \(byteOffset) lists unreadable bytes outside the merge")
  }

  static func checkpointOutside(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBytesOutside,
      "the checkpoint at byte \(byteOffset) lists bytes outside the merge")
  }

  static func tooManyUnreadable(max: Int) -> JournalFault {
    JournalFault(.journalTooManyRanges, "it lists more than \(max) unreadable ranges")
  }

  static func behindWatermark(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBeyondWatermark,
      "the checkpoint at byte \(byteOffset) records bytes past its watermark")
  }

  static func recordedTwice(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBytesTwice,
      "the checkpoint at byte \(byteOffset) records bytes twice, although they were readable")
  }

  static func entrySize(_ byteCount: UInt64, at byteOffset: UInt64, max: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalEntryTooLarge,
      "the entry at byte \(byteOffset) covers \(byteCount) bytes; expected at most \(max)")
  }

  static func tooManyBytes() -> JournalFault {
    JournalFault(.journalTooManyBytes, "its entries cover more bytes than the merge has")
  }

  static func notRising(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalOutOfOrder,
      "the entries at byte \(byteOffset) are not in ascending order")
  }

  /// Returns the fault for a record that has changed since the journal was first read.
  static func changed(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalChanged, "it changed at byte \(byteOffset) while being read")
  }
}
