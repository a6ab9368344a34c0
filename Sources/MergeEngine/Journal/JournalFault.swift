internal import SystemPackage

/// What is wrong with a journal.
package struct JournalFault: Error, Equatable, Sendable {
  /// Why, for programs.
  package var code: MergeError.Code
  /// Why, as a sentence.
  package var reason: String
  /// What can be done, where that is known here.
  private var hint: String?
  /// The amounts that the reason names.
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

  /// The fault as an error; nothing was written yet.
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

// Every reason, with its words.

extension JournalFault {
  /// A read that came to a negative errno, so that nothing is known of what the bytes are.
  static func cannotRead(_ errno: Errno) -> JournalFault {
    var fault = JournalFault(
      .cannotReadJournal, "\(errno)",
      hint: "the kernel's log may say more about the device that it is on")
    fault.errorNumber = errno.rawValue
    return fault
  }

  // MARK: The header

  /// A file that begins with something else.
  static func notOne() -> JournalFault {
    JournalFault(.notJournal, "it is not a journal of thin-merge")
  }

  /// A file that ends before a header's first fields.
  static func cutInFirstBytes() -> JournalFault {
    JournalFault(.journalHeaderCut, "it is cut short within its header")
  }

  /// A header without its last bytes.
  static func headerCut() -> JournalFault {
    JournalFault(.journalHeaderCut, "its header is cut short")
  }

  /// A format of another version.
  static func version(_ version: UInt32, expected: UInt32) -> JournalFault {
    JournalFault(
      .journalVersionUnknown, "its format version is \(version); \(expected) is expected",
      hint: "another version of thin-merge wrote it, and reads it",
      counts: ["version": UInt64(version)])
  }

  /// A feature that only a later version knows.
  static func newer() -> JournalFault {
    JournalFault(
      .journalNewer, "it was written by a newer thin-merge",
      hint: "use the version that began this merge")
  }

  /// A header of a size that none has.
  static func headerSize(_ byteCount: UInt32, unit: UInt64, max: Int) -> JournalFault {
    JournalFault(
      .journalHeaderSizeInvalid,
      "its header says that it has \(byteCount) bytes; a multiple of \(unit), up to \(max), is "
        + "expected", counts: ["bytes": UInt64(byteCount)])
  }

  /// A header that was changed.
  static func headerChecksum() -> JournalFault {
    JournalFault(.journalHeaderChecksumWrong, "its header's checksum is wrong")
  }

  /// A header without a field, or with one that cannot be.
  static func headerField() -> JournalFault {
    JournalFault(.journalHeaderFieldInvalid, "its header lacks a field that this version needs")
  }

  // MARK: Records

  private init(at byteOffset: UInt64, _ code: MergeError.Code, _ reason: String) {
    self.init(code, reason, counts: ["byte": byteOffset])
  }

  /// A record that is whole, so that no crash cut it, and of no known kind.
  static func recordUnknown(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalRecordUnknown,
      "the record at byte \(byteOffset) cannot be understood")
  }

  /// A place without a record, and records behind it that were appended later.
  static func damaged(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalDamaged,
      "it is damaged: no valid record at byte \(byteOffset), but valid ones behind it")
  }

  /// Unreadable ranges behind the end of the merge.
  static func unreadableOutside(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBytesOutside,
      "the record at byte \(byteOffset) names unreadable bytes that the merge does not have")
  }

  /// A watermark or an entry behind the end of the merge.
  static func checkpointOutside(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBytesOutside,
      "the checkpoint at byte \(byteOffset) names bytes that the merge does not have")
  }

  /// More unreadable ranges than are kept.
  static func tooManyUnreadable(max: Int) -> JournalFault {
    JournalFault(.journalTooManyRanges, "it names more than \(max) unreadable ranges")
  }

  /// Entries that their checkpoint does not cover.
  static func behindWatermark(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBeyondWatermark,
      "the checkpoint at byte \(byteOffset) records bytes behind its watermark")
  }

  /// Entries of bytes that are recorded already.
  static func recordedTwice(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalBytesTwice,
      "the checkpoint at byte \(byteOffset) records bytes again that were not unreadable")
  }

  /// An entry that no transfer can have made.
  static func entrySize(_ byteCount: UInt64, at byteOffset: UInt64, max: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalEntryTooLarge,
      "an entry at byte \(byteOffset) has \(byteCount) bytes; at most \(max) are expected")
  }

  /// More bytes in all than the plan has.
  static func tooManyBytes() -> JournalFault {
    JournalFault(.journalTooManyBytes, "its entries come to more bytes than the merge has")
  }

  /// Entries that go back within a sweep.
  static func notRising(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalOutOfOrder,
      "the entries at byte \(byteOffset) do not follow those before; rising ones are expected")
  }

  /// A record that was there when the journal was read before.
  static func changed(at byteOffset: UInt64) -> JournalFault {
    JournalFault(
      at: byteOffset, .journalChanged, "it changed at byte \(byteOffset) while being read")
  }
}
