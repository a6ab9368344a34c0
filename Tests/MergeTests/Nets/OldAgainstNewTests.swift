import Fixtures
import Foundation
import Testing

@testable import MergeEngine

@Suite(
  "Old vs. new program: exit status, origin and journal", .waitsForPrograms, .needsOracle,
  .serialized)
struct OldAgainstNewTests {
  @Test("on damaged metadata images, the old and new programs differ only as intended")
  func images() throws {
    var differences = Differences()
    let all =
      Damage.ofSuperblocks + Damage.ofBlockSize + Damage.ofAnyNode + Damage.ofKeys + Damage.ofShape
      + Damage.ofDevices
    for damage in all {
      var image = damage.pool.build()
      _ = damage.damage(&image)
      let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
      let names = try pool.folder.names()
      for verb in ["merge", "plan"] {
        let consent = verb == "merge" ? MergeCase.steadily : []
        try differences.compare(
          "image: \(damage.name), \(verb)", in: pool.folder,
          [verb] + pool.source(damage.devID) + ["--origin", pool.origin] + consent + damage.options
        ) {
          for name in try pool.folder.names() where !names.contains(name) {
            try Program.remove(pool.folder.path(name))
          }
          // Overwrites the existing file, and restores its original length.
          try PoolImageBuilder.origin.write(to: URL(filePath: pool.origin))
          try MergeCase.removeMarks(of: pool.origin)
        }
      }
    }
    #expect(differences.caseCount > 150)
    try differences.expectIntended("image")
  }

  @Test(
    "on crafted journals with impossible values, the old and new programs differ only as intended")
  func craftedJournals() throws {
    var differences = Differences()
    let merge = try MergeCase(scatteredBlocks: 4)
    for (name, journal) in CraftedJournalTests.journals.sorted(by: { $0.key < $1.key }) {
      let bytes = Data(journal.bytes)
      for arguments in [
        ["status", merge.journal], ["verify", "--journal", merge.journal],
        ["resume", merge.journal, "--yes"], merge.mergeArguments(MergeCase.steadily),
      ] {
        try differences.compare(
          "journal: \(name), \(arguments[0])", in: merge.folder, arguments
        ) { try put(bytes, and: merge.before, merge) }
      }
    }
    #expect(differences.caseCount > 80)
    try differences.expectIntended("journal")
  }

  @Test("on truncated or corrupted journals, the old and new programs differ only as intended")
  func damagedJournals() throws {
    var differences = Differences()
    let merge = try MergeCase(scatteredBlocks: 12)
    let stopped = try Generation.old.run(
      merge.mergeArguments(MergeCase.steadily),
      environment: ["LD_PRELOAD": Oracle.stopper, "STOP_AT": "fail:9"])
    try #require(stopped.exitStatus == 3, "\(stopped.standardError)")
    let journal = try content(of: merge.journal)
    let origin = try content(of: merge.originFile)
    let expected = try merge.expectedOrigin()
    try #require(origin != merge.before && origin != expected)
    let ends = try JournalOnDisk.recordRanges(of: merge.journal).flatMap {
      [$0.lowerBound, $0.lowerBound + 9, $0.lowerBound + 25, $0.lowerBound + 33, $0.upperBound - 1]
    }
    let places = [0, 8, 12, 16, 17, 100, 400, 4095] + ends.filter { $0 < journal.count }
    for place in places {
      var changed = journal
      changed[place] ^= 0x10
      for (kind, bytes) in [("cut", journal.prefix(place)), ("changed", changed)] {
        try differences.compare(
          "damage: \(kind) at byte \(place)", in: merge.folder,
          merge.mergeArguments(MergeCase.steadily)
        ) { try put(bytes, and: origin, merge) }
      }
    }
    #expect(differences.caseCount > 30)
    try differences.expectIntended("damage")
  }

  private func put(_ journal: Data, and origin: Data, _ merge: MergeCase) throws {
    for file in try merge.newFiles() { try Program.remove(merge.folder.path(file)) }
    try overwrite(merge.originFile, with: origin)
    try MergeCase.removeMarks(of: merge.originFile)
    try journal.write(to: URL(filePath: merge.journal))
  }

  @Test("on valid and invalid command lines, the old and new programs differ only as intended")
  func arguments() throws {
    var differences = Differences()
    let merge = try MergeCase(scatteredBlocks: 4)
    for words in ArgumentLists.all {
      let arguments = words.map { word in
        word.replacing("META", with: merge.metadata).replacing("DATA", with: merge.data)
          .replacing("ORIGIN", with: merge.origin).replacing("JOURNAL", with: merge.journal)
      }
      try differences.compare(
        "arguments: \(words.joined(separator: " "))", in: merge.folder, arguments
      ) {
        for file in try merge.newFiles() { try Program.remove(merge.folder.path(file)) }
        try overwrite(merge.originFile, with: merge.before)
        try MergeCase.removeMarks(of: merge.originFile)
        try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.originFile)
      }
    }
    #expect(differences.caseCount > 100)
    try differences.expectIntended("arguments")
  }
}

/// Command lines in which META, DATA, ORIGIN and JOURNAL stand for the paths of a test case's
/// files.
private enum ArgumentLists {
  private static let source = ["--metadata", "META", "--data", "DATA", "--dev-id", "0"]
  private static let target = ["--origin", "ORIGIN"]
  private static let merge = ["merge"] + source + target + ["--queue-depth", "1"]

  static let all: [[String]] = plain + withOptions + ofVerbs + withBadSizes

  private static let plain: [[String]] =
    [
      [], [""], ["--help"], ["--version"], ["-h"], ["help"], ["merrge"], ["--frobnicate"], ["--"],
      ["--yes"], ["-y", "merge"],
    ]
    + ["merge", "resume", "verify", "plan", "status", "devices"].flatMap { verb in
      [
        [verb], [verb, "--help"], [verb, "-h"], ["help", verb], [verb, "--version"], [verb, ""],
        [verb, "a", "b"], [verb, "--frobnicate"], [verb, "--output"], [verb, "--output", "xml"],
      ]
    }
    // Excludes `status` without arguments: only the new program accepts it, and lists all merges.
    .filter { $0 != ["status"] }

  private static let withOptions: [[String]] = [
    [], ["--yes"], ["-y"], ["--verify"], ["--restart"], ["--trust-earlier-runs"],
    ["--restart", "--trust-earlier-runs"], ["--same-origin"], ["--ignore-needs-check"],
    ["--inactive"], ["--inactive", "--ignore-needs-check"], ["--inactive", "--metadata-snap", "5"],
    ["--metadata-snap", "5"], ["--metadata-snap", "-1"], ["--past-end", "clip"],
    ["--past-end", "grow"], ["--past-end", "refuse"], ["--past-end", "cut"],
    ["--thin-size", "1M"], ["--thin-size", "1M", "--past-end", "clip"], ["--thin-size", "0"],
    ["--thin-size", "1000s", "--past-end", "clip"], ["--journal", "JOURNAL.other.journal"],
    ["--journal", ""], ["--journal", "/nonexistent/journal"], ["--queue-depth", "2"],
    ["--queue-depth", "0"], ["--queue-depth", "4097"], ["--io-size", "4k"], ["--io-size", "6k"],
    ["--io-size", "65M"], ["--rate-limit", "1G"], ["--rate-limit", "0"],
    ["--checkpoint-interval", "0"], ["--checkpoint-interval", "1.5"],
    ["--checkpoint-interval", "86401"], ["--output", "json"], ["--output", "text"],
    ["--output", "json", "--progress", "bar"], ["--progress", "lines"], ["--progress", "json"],
    ["--progress", "loud"], ["--dev-id", "1"], ["--dev-id", "16777216"], ["--dev-id", "x"],
    ["--pool", "p"], ["--snapshot"], ["--reactivate"], ["--make-origin-writable"],
    ["--other-users-ok"], ["extra"], ["--origin", "/nonexistent/origin"], ["--origin", "META"],
    ["--origin", ""], ["--metadata", "DATA"], ["--data", "META"], ["--data", "/nonexistent"],
  ].map { merge + $0 }

  private static let ofVerbs: [[String]] = [
    ["plan"] + source, ["plan"] + source + target,
    ["plan"] + source + target + ["--output", "json"],
    ["plan", "--metadata", "META"], ["plan"] + source + ["--journal", "j"],
    ["plan"] + source + ["--thin-size", "1M"], ["verify"] + source, ["verify"] + source + target,
    ["verify"] + source + target + ["--output", "json"], ["verify", "--journal", "JOURNAL"],
    ["verify", "--journal", "ORIGIN"], ["verify", "--journal", "JOURNAL"] + source,
    ["verify"] + source + target + ["--past-end", "clip"], ["status", "JOURNAL"],
    ["status", "ORIGIN"], ["status", "META", "--output", "json"], ["resume", "JOURNAL"],
    ["resume", "ORIGIN", "--yes"], ["resume", "JOURNAL", "--origin", "ORIGIN"],
    ["devices", "--metadata", "META"], ["devices", "--metadata", "META", "--output", "json"],
    ["devices", "--metadata", "DATA"], ["devices", "--metadata", "META", "--inactive"],
    ["devices", "--pool", "p"], ["devices", "META"], ["merge", "vg/vm"], ["merge", "vm"],
    ["merge", "vm", "--dev-id", "1"], ["merge", "--pool", "p", "--dev-id", "0"],
  ]

  private static let withBadSizes: [[String]] = [
    "", "M", "12Q", "1MM", "1.5M", "-1", "0x10", "1 M", "99999999999999999999",
    "18446744073709551615k", "8s", "2gib",
  ].map { ["plan"] + source + ["--thin-size=\($0)"] }
}
