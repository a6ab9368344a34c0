import Testing

@testable import thin_merge

@Suite("Errors: invalid command lines", .waitsForPrograms)
struct CommandLineErrorTests {
  @Test(
    "every invalid command line fails with the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  @Test(
    "every invalid command line that names a device fails with the expected code and exit status",
    .needsLoopDevices,
    arguments: ofDevices)
  func ofDevice(_ situation: ErrorSituation) throws { try situation.check() }

  private static let source = ["--metadata", "m", "--data", "d", "--dev-id", "0"]
  private static let merge = ["merge"] + source + ["--origin", "o"]

  static let situations: [ErrorSituation] = [
    ErrorSituation([]),
    ErrorSituation(["merrge"]),
    ErrorSituation(["help", "nope"]),
    ErrorSituation(["merge"]),
    ErrorSituation(["verify"]),
    ErrorSituation(["resume"]),
    ErrorSituation(["resume", ""]),
    ErrorSituation(["resume", "--again", "--trust-earlier-runs", "j"]),
    ErrorSituation(merge + ["--again", "--restart"]),
    ErrorSituation(merge + ["--no-compare", "--verify"]),
    ErrorSituation(merge + ["--again"]),
    ErrorSituation(["resume", "a", "b"]),
    ErrorSituation(["devices"]),
    ErrorSituation(["devices", "--pool", "p", "--inactive"]),
    ErrorSituation(["merge"] + source),
    ErrorSituation(["merge", "--metadata", "m", "--data", "d", "--origin", "o"]),
    ErrorSituation(["merge", "--metadata", "m", "--dev-id", "0", "--origin", "o"]),
    ErrorSituation(["merge", "--data", "d", "--dev-id", "0", "--origin", "o"]),
    ErrorSituation(["merge", "--pool", "p", "--origin", "o"]),
    ErrorSituation(["merge", "vg/vm", "--pool", "p"]),
    ErrorSituation(["merge", "vg/vm", "--inactive"]),
    ErrorSituation(["merge", "--pool", "p", "--dev-id", "1", "--data", "d"]),
    ErrorSituation(merge + ["--origin", ""]),
    ErrorSituation(merge + ["--metadata-snap", "1", "--inactive"]),
    ErrorSituation(merge + ["--ignore-needs-check", "--inactive"]),
    ErrorSituation(merge + ["--inactive", "--snapshot"]),
    ErrorSituation(merge + ["--restart", "--trust-earlier-runs"]),
    ErrorSituation(["plan"] + source + ["--journal", "j"]),
    ErrorSituation(["verify", "--journal", "j", "--inactive"]),
    ErrorSituation(merge + ["--dev-id=x"]),
    ErrorSituation(merge + ["--dev-id=16777216"]),
    ErrorSituation(merge + ["--thin-size=12Q"]),
    ErrorSituation(merge + ["--io-size", "1X"]),
    ErrorSituation(merge + ["--rate-limit", "-1M"]),
    ErrorSituation(merge + ["--thin-size=0"]),
    ErrorSituation(merge + ["--io-size=1KiB"]),
    ErrorSituation(merge + ["--thin-size=9007199254740992T"]),
    ErrorSituation(merge + ["--dev-id=99999999999"]),
    ErrorSituation(merge + ["--queue-depth=0"]),
    ErrorSituation(merge + ["--queue-depth=many"]),
    ErrorSituation(merge + ["--rate-limit=0"]),
    ErrorSituation(merge + ["--checkpoint-interval=0"]),
    ErrorSituation(merge + ["--checkpoint-interval", "-1"]),
    ErrorSituation(merge + ["--past-end=ignore"]),
    ErrorSituation(merge + ["--progress=loud"]),
    ErrorSituation(merge + ["--origin="]),
    ErrorSituation(merge + ["--metadata-snap=x"]),
    ErrorSituation(merge + ["--frobnicate"]),
    ErrorSituation(["merge"] + source + ["--orign", "origin.img"]),
    ErrorSituation(["plan"] + source + ["--dry-run"]),
    ErrorSituation(["plan"] + source + ["extra"]),
    ErrorSituation(["devices", "meta data.img"]),
    ErrorSituation(["devices", "--metadata", "m", "extra"]),
    ErrorSituation(["devices", "--metdata", "meta.img"]),
    ErrorSituation(merge + ["--dev-id"]),
    ErrorSituation("progress for people is wanted beside a report for programs", "usage", .usage) {
      try ReportedError(ThinMergeCommand.run(merge + ["--progress=bar"]))
    },
  ]

  static let ofDevices: [ErrorSituation] = [
    ErrorSituation("the origin is a block device, and nobody can be asked", "usage", .usage) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.originFile)
      merge.origin = device.path
      return try ReportedError(merge.merge()).followed().naming([
        (device.path, "DEVICE"), (merge.folder.path, "FOLDER"),
      ])
    }
  ]
}
