import Fixtures
import Testing

@testable import MergeEngine

@Suite("Journal: format versions and required features")
struct JournalFeatureTests {
  @Test("a journal written by version 0.1.0 is read with the state that it recorded")
  func version010() throws {
    let state = try JournalScratch().state(of: JournalFixture.finishedByVersion010.bytes())
    #expect(state.isFinished && state.isVerified && !state.hasTornEnd)
    #expect(state.doneByteCount == 2_621_440)
    #expect(state.unreadable.isEmpty && state.attemptCount == 1)
  }

  @Test(
    "a journal that requires an unknown feature is refused, and no hint suggests --restart")
  func unknownFeature() throws {
    try expectNewer(JournalFixture.requiringUnknownFeature.bytes())
  }

  @Test(
    "a journal with any single unknown bit set in its required features is refused",
    arguments: [0, 1, 31, 32, 63] as [UInt64])
  func everyBit(bit: UInt64) throws {
    let header = JournalSample.header.encoded.settingField(50, to: 1 << bit)
    try expectNewer(header)
  }

  @Test("a journal that requires no features is accepted")
  func noFeature() throws {
    let bytes = JournalSample.header.encoded.settingField(50, to: 0)
    #expect(try JournalScratch().reader(of: bytes).header == JournalSample.header)
  }

  @Test("a journal header's list of merge remnants survives an encode/decode round trip")
  func remnants() throws {
    var header = JournalSample.header
    header.remnants = [
      MergeRemnant(deviceID: .max, fingerprint: "0123-4567", recordedByteCount: .max),
      MergeRemnant(deviceID: 0, fingerprint: "", recordedByteCount: 0),
    ]
    #expect(try JournalScratch().reader(of: header.encoded).header == header)
    // A truncated list yields only its complete elements.
    let bytes = RecordedRemnants.encoded(header.remnants)
    #expect(RecordedRemnants.decoded(Array(bytes.dropLast())) == [header.remnants[0]])
    #expect(RecordedRemnants.decoded([]) == [])
  }

  @Test("a journal is refused if its required-features field is not an 8-byte integer")
  func notANumber() throws {
    try expectNewer(JournalSample.header.encoded.settingField(50, toBytes: [0, 0, 0, 0]))
  }

  @Test(
    "a journal header with an unknown code for the kind of mappings is refused",
    arguments: [3, 255, .max] as [UInt64])
  func unknownMappings(code: UInt64) throws {
    let bytes = JournalSample.header.encoded.settingField(36, to: code)
    guard case .refused(let error) = try JournalScratch().verdict(on: bytes) else {
      Issue.record("believed")
      return
    }
    #expect(error.kind == .journalConflict)
  }

  private func expectNewer(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    guard case .refused(let error) = try JournalScratch().verdict(on: bytes) else {
      Issue.record("believed", sourceLocation: sourceLocation)
      return
    }
    #expect(error.kind == .journalConflict, sourceLocation: sourceLocation)
    #expect(error.why == "it was written by a newer thin-merge", sourceLocation: sourceLocation)
    #expect(error.hint?.contains("--restart") == false, sourceLocation: sourceLocation)
  }
}

extension [UInt8] {
  /// Returns the encoded header with the given field set to an integer.
  ///
  /// The field is added if it is missing.
  func settingField(_ tag: UInt16, to number: UInt64) -> [UInt8] {
    settingField(tag, toBytes: (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
  }

  /// Returns the encoded header with the given field set to a value.
  ///
  /// If the field already exists, the new value must have the same length as the old one.
  func settingField(_ tag: UInt16, toBytes value: [UInt8]) -> [UInt8] {
    var header = Array(dropLast(4))
    var place = 16
    while let found = header.field(at: place), found.tag != 0, found.tag != tag {
      place += 8 + found.byteCount
    }
    var field = ByteWriter()
    field.append(tag)
    field.append(0 as UInt16)
    field.append(UInt32(value.count))
    field.append(value)
    header.replaceSubrange(place..<place + field.bytes.count, with: field.bytes)
    var checksum = ByteWriter()
    checksum.append(CRC32C.checksum(of: RawSpan(_elements: header.span)))
    return header + checksum.bytes
  }

  private func field(at place: Int) -> (tag: UInt16, byteCount: Int)? {
    guard place + 8 <= count else { return nil }
    return (
      UInt16(self[place]) | UInt16(self[place + 1]) << 8,
      Int(self[place + 4]) | Int(self[place + 5]) << 8
    )
  }
}
