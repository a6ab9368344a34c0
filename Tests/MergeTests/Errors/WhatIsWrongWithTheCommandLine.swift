import Testing

@testable import thin_merge

/// Command lines that make no sense.
enum WhatIsWrongWithTheCommandLine {
  private static let source = ["--metadata", "m", "--data", "d", "--dev-id", "0"]
  private static let merge = ["merge"] + source + ["--origin", "o"]

  static let rows: [ErrorRow] = [
    ErrorRow(
      [], .usage, "no command given; there are merge, resume, verify, plan, status, devices",
      hints: ["see 'thin-merge --help'"]),
    ErrorRow(
      ["merrge"], .usage,
      """
      there is no command 'merrge'; there are merge, resume, verify, plan, status, devices
      """, hints: ["see 'thin-merge --help'"]),
    ErrorRow(
      ["help", "nope"], .usage,
      "there is no command 'nope'; there are merge, resume, verify, plan, status, devices",
      hints: ["see 'thin-merge --help'"]),
    ErrorRow(
      ["merge"], .usage,
      "give what is to be read: a thin device, or --metadata, --data and --dev-id",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["verify"], .usage,
      """
      give what to compare with: a thin device, or --metadata, --data and --dev-id, or \
      --journal
      """, hints: ["see 'thin-merge verify --help'"]),
    ErrorRow(
      ["resume"], .usage, "missing expected argument '<journal>'",
      hints: ["see 'thin-merge resume --help'"]),
    ErrorRow(
      ["resume", ""], .usage, "<journal> is empty: was a variable of a script not set?",
      hints: ["see 'thin-merge resume --help'"]),
    ErrorRow(
      ["resume", "--again", "--trust-earlier-runs", "j"], .usage,
      "--again compares what earlier runs recorded and --trust-earlier-runs does not: give one",
      hints: ["see 'thin-merge resume --help'"]),
    ErrorRow(
      merge + ["--again", "--restart"], .usage,
      "--restart puts the journal aside and --again goes on with it: give one",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--no-compare", "--verify"], .usage,
      "--no-compare cannot go with --again and --verify, which compare",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--again"], .usage,
      "--again may overwrite what was written to o since, and nobody can be asked: --yes is required",
      hints: ["see what differs with the same command without --again, then give --yes"]),
    ErrorRow(
      ["resume", "a", "b"], .usage, "unexpected argument 'b'",
      hints: ["see 'thin-merge resume --help'"]),
    ErrorRow(
      ["devices"], .usage, "give the pool to be read: --pool <name> or --metadata <path>",
      hints: ["see 'thin-merge devices --help'"]),
    ErrorRow(
      ["devices", "--pool", "p", "--inactive"], .usage,
      "--pool names an active pool: --metadata and --inactive cannot go with it",
      hints: ["see 'thin-merge devices --help'"]),
    ErrorRow(
      ["merge"] + source, .usage, "--origin <path> is missing",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "--metadata", "m", "--data", "d", "--origin", "o"], .usage,
      "--dev-id <number> is missing", hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "--metadata", "m", "--dev-id", "0", "--origin", "o"], .usage,
      "--data <path> is missing", hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "--data", "d", "--dev-id", "0", "--origin", "o"], .usage,
      "--metadata <path> is missing", hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "--pool", "p", "--origin", "o"], .usage, "--dev-id <number> is missing",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "vg/vm", "--pool", "p"], .usage,
      """
      'vg/vm' names all of the source: --pool, --metadata, --data and --dev-id cannot go \
      with it
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "vg/vm", "--inactive"], .usage,
      "--inactive is for the devices of a pool that is not active",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge", "--pool", "p", "--dev-id", "1", "--data", "d"], .usage,
      "--pool names the pool's devices: --metadata and --data cannot go with it",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--origin", ""], .usage,
      "--origin <path> is empty: was a variable of a script not set?",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--metadata-snap", "1", "--inactive"], .usage,
      """
      --metadata-snap reads the metadata snapshot and --inactive the live mappings: give \
      one
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--ignore-needs-check", "--inactive"], .usage,
      """
      --ignore-needs-check reads a held metadata snapshot and cannot go with --inactive
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--inactive", "--snapshot"], .usage,
      """
      --inactive is for a pool that is not active: --snapshot, --reactivate, \
      --make-origin-writable and --other-users-ok cannot go with it
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--restart", "--trust-earlier-runs"], .usage,
      """
      --restart puts earlier runs aside and --trust-earlier-runs relies on them: give one
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["plan"] + source + ["--journal", "j"], .usage,
      "--journal says where the journal of a merge would be: give --origin too",
      hints: ["see 'thin-merge plan --help'"]),
    ErrorRow(
      ["verify", "--journal", "j", "--inactive"], .usage,
      """
      --journal needs no source: --metadata, --data, --dev-id, --metadata-snap, \
      --inactive, --ignore-needs-check, --thin-size and --past-end cannot go with it
      """, hints: ["see 'thin-merge verify --help'"]),
    ErrorRow(
      merge + ["--dev-id=x"], .usage,
      """
      the value 'x' is invalid for '--dev-id <number>': a whole number is expected, such as \
      1; 'thin-merge devices' lists those that there are
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--dev-id=16777216"], .usage,
      "--dev-id 16777216 is above 16777215, the largest there is",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--thin-size=12Q"], .usage,
      "the value '12Q' is invalid for '--thin-size <size>': \(aSize)",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--io-size", "1X"], .usage,
      "the value '1X' is invalid for '--io-size <size>': \(aSize)",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--rate-limit", "-1M"], .usage,
      "the value '-1M' is invalid for '--rate-limit <size>': \(aSize)",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--thin-size=0"], .usage, "--thin-size must be above 0",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--io-size=1KiB"], .usage,
      """
      the value '1KiB' is invalid for '--io-size <size>': a multiple of 4k, up to 64M, is \
      expected
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--thin-size=9007199254740992T"], .usage,
      "the value '9007199254740992T' is invalid for '--thin-size <size>': too large",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--dev-id=99999999999"], .usage,
      "the value '99999999999' is invalid for '--dev-id <number>': too large",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--queue-depth=0"], .usage, "--queue-depth must be from 1 to 4096, not 0",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--queue-depth=many"], .usage,
      """
      the value 'many' is invalid for '--queue-depth <number>': a whole number is expected, \
      such as 64
      """,
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--rate-limit=0"], .usage,
      "--rate-limit 0 would never end; leave it out for no limit",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--checkpoint-interval=0"], .usage,
      "--checkpoint-interval must be from 0.01 to 86400 seconds, not 0",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--checkpoint-interval", "-1"], .usage,
      """
      the value '-1' is invalid for '--checkpoint-interval <seconds>': a number of seconds is \
      expected, such as 5 or 0.2
      """,
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--past-end=ignore"], .usage,
      """
      the value 'ignore' is invalid for '--past-end <policy>': one of 'refuse', 'clip' or \
      'grow' is expected
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--progress=loud"], .usage,
      """
      the value 'loud' is invalid for '--progress <mode>': one of 'auto', 'bar', 'lines', \
      'json' or 'none' is expected
      """, hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--origin="], .usage, "missing value for '--origin <path>'",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--metadata-snap=x"], .usage,
      """
      the value 'x' is invalid for '--metadata-snap <block>': the number of a block is \
      expected, such as 1234; 'dmsetup status' of the pool has it
      """,
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      merge + ["--frobnicate"], .usage, "unknown option '--frobnicate'",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["merge"] + source + ["--orign", "origin.img"], .usage,
      "unknown option '--orign': did you mean '--origin'?",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      ["plan"] + source + ["--progress", "bar"], .usage, "unknown option '--progress'",
      hints: ["see 'thin-merge plan --help'"]),
    ErrorRow(
      ["plan"] + source + ["--yes"], .usage, "unknown option '--yes'",
      hints: ["see 'thin-merge plan --help'"]),
    ErrorRow(
      ["plan"] + source + ["extra"], .usage,
      "unexpected argument 'extra': the source is named already",
      hints: ["see 'thin-merge plan --help'"]),
    ErrorRow(
      ["devices", "meta data.img"], .usage,
      "unexpected argument 'meta data.img': give it as --metadata 'meta data.img'",
      hints: ["see 'thin-merge devices --help'"]),
    ErrorRow(
      ["devices", "--metadata", "m", "extra"], .usage,
      "unexpected argument 'extra': the pool is named already",
      hints: ["see 'thin-merge devices --help'"]),
    ErrorRow(
      ["devices", "--metdata", "meta.img"], .usage,
      "unknown option '--metdata': did you mean '--metadata'?",
      hints: ["see 'thin-merge devices --help'"]),
    ErrorRow(
      merge + ["--dev-id"], .usage, "missing value for '--dev-id <number>'",
      hints: ["see 'thin-merge merge --help'"]),
    ErrorRow(
      "progress for people beside a report for programs", .usage,
      """
      --progress bar is for people and cannot go with --output json: use --progress json \
      or none
      """, hints: ["see 'thin-merge merge --help'"]
    ) {
      try SaidError(ThinMergeCommand.run(merge + ["--progress=bar"]))
    },
  ]

  private static let aSize =
    "a whole number with b, s, k, M, G, T or nothing behind it is expected, such as 64k"

  static let ofDevices: [ErrorRow] = [
    ErrorRow(
      "a block device, and nobody to be asked", .usage,
      """
      DEVICE is a block device and nobody can be asked: --yes is required to write to it
      """, hints: ["see what would be written with 'thin-merge plan', then give --yes"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.originFile)
      merge.origin = device.path
      return try SaidError(merge.merge()).naming([(device.path, "DEVICE")])
    }
  ]
}

@Suite("Errors: what is wrong with the command line", .waitsForPrograms)
struct CommandLineErrorTests {
  @Test("in these words", arguments: WhatIsWrongWithTheCommandLine.rows)
  func words(row: ErrorRow) throws { try row.check() }

  @Test(
    "of a block device, in these words", .needsLoopDevices,
    arguments: WhatIsWrongWithTheCommandLine.ofDevices)
  func wordsOfDevices(row: ErrorRow) throws { try row.check() }
}
