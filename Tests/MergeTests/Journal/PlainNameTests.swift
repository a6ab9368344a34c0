import Foundation
import Testing

@testable import MergeEngine

@Suite("File names derived from devices and pools")
struct PlainNameTests {
  @Test("a plain string is its own file name, and distinct strings get distinct file names")
  func names() {
    let plain = "LVM-aB3_x.y"
    #expect(FileSystem.plainName(plain) == plain)
    let texts = [
      "a b", "a_b", "a%20b", "a/b", "a:b", "ä", "a\u{308}", "", "%",
      String(repeating: "x", count: 300), String(repeating: "x", count: 301),
      String(repeating: "x", count: 160), String(repeating: "x", count: 161),
    ]
    let names = texts.map(FileSystem.plainName)
    #expect(Set(names).count == texts.count)
    #expect(names.allSatisfy { $0.utf8.count < 200 && !$0.contains("/") })
  }

  private static let identity = DeviceIdentity(name: "wwid-a b", byteCount: 4096)

  private static func place(
    _ identity: DeviceIdentity = identity, as name: String = "vg-base", in state: TemporaryFolder
  ) throws(MergeError) -> String {
    try JournalFile.devicePlace(
      identity, number: DeviceNumber(major: 8, minor: 0), nameForPeople: name,
      stateFolder: state.path)
  }

  @Test(
    "a journal is named after its device's name and identity, and is found if the name changes"
  )
  func deviceName() throws {
    let state = try TemporaryFolder()
    let path = try Self.place(in: state)
    #expect(path.hasPrefix(state.path("vg-base@")) && path.hasSuffix(".journal"))
    #expect(try Self.place(as: "other", in: state) != path)
    try Data().write(to: URL(filePath: path))
    #expect(try Self.place(as: "other", in: state) == path)
    let another = DeviceIdentity(name: "wwid-a c", byteCount: 4096)
    let other = try Self.place(another, as: "other", in: state)
    #expect(other.hasPrefix(state.path("other@")))
  }

  @Test("the journal of a device without an identity is named after the device number")
  func numbered() throws {
    let state = try TemporaryFolder()
    let unknown = DeviceIdentity(name: "", byteCount: 4096)
    #expect(try Self.place(unknown, in: state) == state.path("device-8:0.journal"))
  }

  @Test("two journals for the same device are refused, and the error names both")
  func twoJournals() throws {
    let state = try TemporaryFolder()
    let path = try Self.place(in: state)
    try Data().write(to: URL(filePath: path))
    try Data().write(to: URL(filePath: state.path("wwid-a%20b.journal")))
    let error = #expect(throws: MergeError.self) { try Self.place(in: state) }
    #expect(error?.code == .twoJournals)
    #expect(error?.message.contains(path) == true)
    #expect(error?.message.contains("wwid-a%20b.journal") == true)
  }

  @Test("a journal with a file name from an earlier version is found if it belongs to the device")
  func earlierName() throws {
    let state = try TemporaryFolder()
    let released = state.path("wwid-a%20b.journal")
    try Data().write(to: URL(filePath: released))
    #expect(try Self.place(in: state) == released)
    try FileManager.default.removeItem(atPath: released)
    let unreleased = state.path("wwid-a_b.journal")
    var sample = JournalSample()
    for (name, isFound) in [("wwid-a_b", false), ("wwid-a b", true)] {
      sample.header.originIdentity.name = name
      try Data(sample.bytes).write(to: URL(filePath: unreleased))
      let place = try Self.place(in: state)
      #expect((place == unreleased) == isFound)
    }
  }
}
