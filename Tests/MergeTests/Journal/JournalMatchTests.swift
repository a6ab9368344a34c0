import Testing

@testable import MergeEngine

@Suite("Journal: devices with an identity only in the journal or only in the system")
struct JournalMatchTests {
  enum Device: CaseIterable, Sendable { case origin, data }

  @Test(
    "a device identified only in the journal or only now needs the user to vouch for it",
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
    "another identity means another device, even if the user says that it is the same",
    arguments: [true, false])
  func otherIdentity(isSaidToBeSame: Bool) {
    var wanted = JournalSample.header
    wanted.originIdentity.name = "wwid-another"
    let match = JournalMatch(
      wanted: wanted, bootID: "boot", originIsTheSame: isSaidToBeSame)
    #expect(match.difference(from: JournalSample.header)?.code == .journalOfOtherDevice)
  }

  @Test("an origin of another size is another origin, even without an identity")
  func otherLength() {
    var (journal, wanted) = (JournalSample.header, JournalSample.header)
    journal.originIdentity.name = ""
    wanted.originIdentity.byteCount += 4096
    let match = JournalMatch(wanted: wanted, bootID: "boot", originIsTheSame: true)
    #expect(match.difference(from: journal)?.code == .journalOfOtherSize)
  }

  @Test(
    "other mappings count as a change of the same thin device only if its data device is identified"
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
