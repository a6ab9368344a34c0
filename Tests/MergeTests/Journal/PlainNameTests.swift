import Foundation
import Testing

@testable import MergeEngine

@Suite("Names of files for devices and pools")
struct PlainNameTests {
  @Test("no two texts have one name, and plain ones are their own")
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

  @Test("a journal under the name that an earlier build gave it is found if it is of the device")
  func earlierName() throws {
    let state = try TemporaryFolder()
    let identity = DeviceIdentity(name: "wwid-a b", byteCount: 4096)
    #expect(
      JournalFile.devicePlace(identity, number: "8:0", stateFolder: state.path)
        == state.path("wwid-a%20b.journal"))
    var sample = JournalSample()
    for (name, isFound) in [("wwid-a_b", false), ("wwid-a b", true)] {
      sample.header.originIdentity.name = name
      try Data(sample.bytes).write(to: URL(filePath: state.path("wwid-a_b.journal")))
      #expect(
        JournalFile.devicePlace(identity, number: "8:0", stateFolder: state.path)
          == state.path(isFound ? "wwid-a_b.journal" : "wwid-a%20b.journal"))
    }
  }
}
