import Testing

@testable import MergeEngine

@Suite("Journal: devices whose identity is known only to the journal or only to the system")
struct JournalMatchTests {
  enum Device: CaseIterable, Sendable { case origin, data }

  @Test(
    "if only the journal or only the system identifies a device, the user must vouch for it",
    arguments: Device.allCases,
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

  @Test(
    "a device with a different identity is another device, even if the user says it is the same",
    arguments: [true, false])
  func otherIdentity(isSaidToBeSame: Bool) {
    var wanted = JournalSample.header
    wanted.originIdentity.name = "wwid-another"
    let match = JournalMatch(
      wanted: wanted, bootID: "boot", originIsTheSame: isSaidToBeSame)
    #expect(match.difference(from: JournalSample.header)?.code == .journalOfOtherDevice)
  }

  @Test("an origin of a different size is treated as a different origin, even without an identity")
  func otherLength() {
    var (journal, wanted) = (JournalSample.header, JournalSample.header)
    journal.originIdentity.name = ""
    wanted.originIdentity.byteCount += 4096
    let match = JournalMatch(wanted: wanted, bootID: "boot", originIsTheSame: true)
    #expect(match.difference(from: journal)?.code == .journalOfOtherSize)
  }

  @Test(
    "changed mappings are attributed to the same thin device only if its data device is known"
  )
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
