/// A mark that records a merge, stored with the merge's origin.
///
/// The mark consists of lines of text. The path comes last because it may contain any character:
///
///     thin-merge 1
///     0f3c…-1764460000-9a41c07d      the journal's ID
///     file-1234-1764450000.5         the identity of the marked file or disk
///     f2a7…                          the boot ID if the mark expires at reboot; else empty
///     restart                        if an unfinished merge was replaced; else empty
///     /srv/base.img.thin-merge       the journal's path
struct OriginMark: Equatable {
  var journalID: String
  var identity: String
  var bootID: String
  /// True if another merge had already begun, so the origin is half merged even before this merge's
  /// first run.
  var isOfRestart = false
  /// The path of the merge's journal; empty if the mark had no room for the path.
  var journalPath: String

  /// The fingerprint of the merge's mappings, which is the first part of the journal's ID.
  var fingerprint: String {
    journalID.split(separator: "-").prefix(2).joined(separator: "-")
  }

  private static let format = "thin-merge 1"
  private static let restart = "restart"

  var encoded: [UInt8] {
    [Self.format, journalID, identity, bootID, isOfRestart ? Self.restart : ""]
      .flatMap { Array($0.utf8) + [0x0A] } + PathText.bytes(of: journalPath)
  }

  init(
    journalID: String, identity: String, bootID: String, isOfRestart: Bool = false,
    journalPath: String
  ) {
    self.journalID = journalID
    self.identity = identity
    self.bootID = bootID
    self.isOfRestart = isOfRestart
    self.journalPath = journalPath
  }

  /// Decodes a mark; returns nil if the bytes are not a mark in this version's format.
  init?(decoding bytes: [UInt8]) {
    let lines = bytes.split(separator: 0x0A, maxSplits: 5, omittingEmptySubsequences: false)
    let texts = lines.map { PathText.text($0) }
    guard texts.count == 6, texts[0] == Self.format,
      ["", Self.restart].contains(texts[4])
    else { return nil }
    journalID = texts[1]
    identity = texts[2]
    bootID = texts[3]
    isOfRestart = !texts[4].isEmpty
    journalPath = texts[5]
  }
}

extension OpenJournal {
  /// The ID shared by this journal and its copies.
  var id: String { header.journalID(proof: headerProof) }
}

extension JournalHeader {
  func journalID(proof: UInt32) -> String {
    "\(fingerprint)-\(madeSeconds)-\(String(proof, radix: 16))"
  }
}
