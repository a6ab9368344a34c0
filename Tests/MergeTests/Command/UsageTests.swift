import Fixtures
import Foundation
import Testing

@Suite("Command: usage", .waitsForPrograms)
struct UsageTests {
  static let source = ["--metadata", "meta.img", "--data", "data.img", "--dev-id", "0"]
  static let merge = ["merge"] + source + ["--origin", "origin.img"]

  @Test(
    "a merge command that lacks a required option is a usage error",
    arguments: [
      ["merge"],
      ["merge"] + source,
      ["merge", "--metadata", "m", "--data", "d", "--origin", "o"],
      ["merge", "--metadata", "m", "--dev-id", "0", "--origin", "o"],
      ["merge", "--data", "d", "--dev-id", "0", "--origin", "o"],
    ])
  func missingOptions(arguments: [String]) throws {
    try expectUsageError(arguments)
  }

  @Test(
    "a missing or extra operand, or an unknown verb, is a usage error",
    arguments: [
      ["resume"], ["verify"], ["plan"], ["devices"], ["merrge"],
      ["verify"] + source,
      ["resume", "one.journal", "another.journal"],
    ])
  func missingOperands(arguments: [String]) throws {
    try expectUsageError(arguments)
  }

  @Test(
    "an invalid value or an unknown option is a usage error",
    arguments: [
      ("--dev-id", "x"), ("--dev-id", "-1"), ("--dev-id", "16777216"),
      ("--queue-depth", "0"), ("--queue-depth", "-1"), ("--queue-depth", "many"),
      ("--io-size", "0"), ("--io-size", "1000"), ("--io-size", "4097"), ("--io-size", "2048"),
      ("--rate-limit", "0"), ("--rate-limit", "-1M"), ("--rate-limit", "fast"),
      ("--checkpoint-interval", "-1"), ("--checkpoint-interval", "nan"),
      ("--checkpoint-interval", "soon"),
      ("--past-end", "ignore"), ("--progress", "loud"), ("--output", "xml"),
      ("--metadata-snap", "x"), ("--metadata-snap", "-1"), ("--frobnicate", "1"),
    ])
  func badValues(option: String, value: String) throws {
    try expectUsageError(Self.merge + ["\(option)=\(value)"])
  }

  @Test(
    "an invalid size is a usage error",
    arguments: [
      "", "M", "12Q", "1MM", "1.5M", "-1", "0x10", "1 M", "99999999999999999999",
      "18446744073709551615k", "9007199254740992T",
    ])
  func badSizes(size: String) throws {
    try expectUsageError(Self.merge + ["--thin-size=\(size)"])
  }

  @Test(
    "every verb has help text",
    arguments: ["merge", "resume", "verify", "plan", "status", "list", "devices", "settle"])
  func help(verb: String) throws {
    let result = try ThinMergeCommand.run([verb, "--help"])
    expectSuccess(result)
    #expect(result.standardOutput.contains("thin-merge \(verb)"))
  }

  @Test("the help for merge and for resume shows the defaults of each verb")
  func helpOfDefaults() throws {
    let (merge, resume) = try (
      ThinMergeCommand.run(["help", "merge"]), ThinMergeCommand.run(["resume", "--help"])
    )
    for value in ["(default: 64)", "(default: 1M)", "(default: 5)"] {
      #expect(merge.standardOutput.contains(value))
    }
    #expect(resume.standardOutput.matches(of: /\(default: as in\s+the\s+journal\)/).count == 3)
    #expect(!resume.standardOutput.contains("(default: 64)"))
  }

  @Test("the help lists all verbs")
  func overview() throws {
    let result = try ThinMergeCommand.run(["--help"])
    expectSuccess(result)
    #expect(try ThinMergeCommand.run(["help"]).standardOutput == result.standardOutput)
    for verb in ["merge", "resume", "verify", "plan", "status", "list", "devices", "settle"] {
      #expect(result.standardOutput.contains(verb))
    }
  }

  @Test(
    "a thin device that is not in any pool is refused",
    arguments: [
      ["merge", "/dev/mapper/vm1"],
      ["merge", "vg/vm1"],
      ["merge", "--pool", "pool", "--dev-id", "1", "--thin-size", "1G", "--origin", "origin.img"],
      ["plan", "vg/vm1"],
      ["verify", "vg/vm1", "--origin", "origin.img"],
    ])
  func noSuchDevice(arguments: [String]) throws {
    let result = try ThinMergeCommand.run(arguments)
    #expect(result.exitStatus == 2)
    // The last two error messages occur only if the system has device-mapper devices.
    let answers = ["no active pool, ", "no such thin device, ", "no such pool, "]
    #expect(
      answers.contains(where: result.standardError.contains), "\(result.standardError)")
  }

  @Test(
    "a misspelled verb gets a suggestion, and an unknown verb gets the list of verbs",
    arguments: [
      (["merg"], "did you mean 'merge'?"), (["help", "sttus"], "did you mean 'status'?"),
      (["version"], "did you mean '--version'?"), (["hepl"], "the commands are merge, resume"),
      (["go"], "the commands are merge, resume"), ([""], "the commands are merge, resume"),
    ])
  func suggestions(arguments: [String], advice: String) throws {
    let result = try ThinMergeCommand.run(arguments)
    #expect(result.exitStatus == 64)
    #expect(
      result.standardError.contains("there is no command '\(arguments.last ?? "")'; \(advice)"),
      "\(result.standardError)")
  }

  private func expectUsageError(
    _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try ThinMergeCommand.run(arguments)
    #expect(result.exitStatus == 64, "\(result.standardError)", sourceLocation: sourceLocation)
    #expect(!result.standardError.isEmpty, sourceLocation: sourceLocation)
    #expect(result.standardOutput.isEmpty, sourceLocation: sourceLocation)
  }
}

@Suite("Command: sizes", .waitsForPrograms)
struct SizeTests {
  @Test("the same size in different units gives the same plan")
  func spellings() throws {
    let merge = try MergeCase()
    let bytes = try ["4194304", "4194304b", "8192s", "4096k", "4M"].map { size in
      let result = try merge.plan(["--thin-size", size, "--output", "json"])
      return try result.report()["bytes"]?.integer
    }
    let below = merge.mappings.filter { Int($0.thinBlock) * merge.blockByteCount < 4 << 20 }.count
    #expect(bytes == Array(repeating: below * merge.blockByteCount, count: bytes.count))
  }

  @Test("a size can be given in gibibytes and tebibytes", arguments: ["1G", "1T"])
  func large(size: String) throws {
    let merge = try MergeCase()
    let result = try merge.plan(["--thin-size", size, "--output", "json"])
    #expect(try result.report()["bytes"]?.integer == merge.mappedByteCount)
  }
}
