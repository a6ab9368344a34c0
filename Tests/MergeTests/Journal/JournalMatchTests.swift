import Testing

@testable import MergeEngine

@Suite("Journal: a device whose identity only the journal or only the system tells")
struct JournalMatchTests {
  enum Device: CaseIterable, Sendable { case origin, data }

  @Test(
    "it is the same if somebody says so, and else nobody can tell", arguments: Device.allCases,
    [true, false])
  func identityOfOne(device: Device, isKnownNow: Bool) {
    var (journal, wanted) = (JournalSample.header, JournalSample.header)
    let path: WritableKeyPath<JournalHeader, String> =
      device == .origin ? \.originIdentity.name : \.dataIdentity.name
    if isKnownNow { journal[keyPath: path] = "" } else { wanted[keyPath: path] = "" }
    let match = JournalMatch(wanted: wanted, bootID: journal.bootID, originIsTheSame: false)
    #expect(match.difference(from: journal) == nil)
    #expect(match.doubt("JOURNAL", journal, lastAttempt: nil)?.code == .deviceNotIdentified)
    let told = JournalMatch(wanted: wanted, bootID: journal.bootID, originIsTheSame: true)
    #expect(told.difference(from: journal) == nil)
    #expect(told.doubt("JOURNAL", journal, lastAttempt: nil) == nil)
  }

  @Test("another identity is another device, whatever somebody says", arguments: [true, false])
  func otherIdentity(isSaidToBeSame: Bool) {
    var wanted = JournalSample.header
    wanted.originIdentity.name = "wwid-another"
    let match = JournalMatch(
      wanted: wanted, bootID: "boot", originIsTheSame: isSaidToBeSame)
    #expect(match.difference(from: JournalSample.header)?.code == .journalOfOtherDevice)
  }

  @Test("an origin of another length is another one, also without an identity")
  func otherLength() {
    var (journal, wanted) = (JournalSample.header, JournalSample.header)
    journal.originIdentity.name = ""
    wanted.originIdentity.byteCount += 4096
    let match = JournalMatch(wanted: wanted, bootID: "boot", originIsTheSame: true)
    #expect(match.difference(from: journal)?.code == .journalOfOtherSize)
  }

  @Test(
    "a thin device is called the same one with other mappings only where its data device is known")
  func otherMappings() {
    for isKnown in [true, false] {
      var (journal, wanted) = (JournalSample.header, JournalSample.header)
      if !isKnown {
        journal.dataIdentity.name = ""
        wanted.dataIdentity.name = ""
      }
      wanted.fingerprint = Fingerprint(crc64: 1, crc32c: 2)
      let match = JournalMatch(
        wanted: wanted, bootID: "boot", originIsTheSame: true, sourceName: "NAME")
      guard case .mappings(_, _, let changed) = match.difference(from: journal) else {
        Issue.record("not of other mappings")
        return
      }
      #expect(changed == (isKnown ? "NAME" : nil))
    }
  }
}
