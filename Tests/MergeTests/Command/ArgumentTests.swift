import ArgumentParser
import Glibc
import MergeEngine
import Testing

@testable import thin_merge

@Suite("Command: command-line arguments")
struct ArgumentTests {
  private static let source = ["--metadata", "meta", "--data", "data", "--dev-id", "7"]
  private static let merge = ["merge"] + source + ["--origin", "origin"]

  @Test(
    "a size is parsed as digits and an optional unit",
    arguments: [
      ("0", 0), ("512", 512), ("7b", 7), ("8s", 4096), ("64k", 65536), ("64K", 65536),
      ("1KiB", 1024), ("1m", 1 << 20), ("1MiB", 1 << 20), ("3G", 3 << 30), ("2gib", 2 << 30),
      ("16777215T", 16_777_215 << 40), ("18446744073709551615", .max),
    ] as [(String, UInt64)])
  func size(text: String, byteCount: UInt64) {
    #expect(ByteSize(text)?.byteCount == byteCount)
  }

  @Test(
    "text that is not a size, or a size too large for 64 bits, is rejected",
    arguments: [
      "", "k", "-1", "+1", " 1", "1 k", "1.5G", "1KB", "1x", "0x10", "1kk", "٣",
      "18446744073709551616", "16777216T", "18446744073709551615k",
    ])
  func noSize(text: String) {
    #expect(ByteSize(text) == nil)
  }

  @Test("a size is printed in the largest unit that divides it evenly")
  func shownSize() {
    #expect(ByteSize(byteCount: 1 << 20).description == "1M")
    #expect(ByteSize(byteCount: 1536).description == "1536")
    #expect(ByteSize(byteCount: 5 << 40).description == "5T")
    #expect(ByteSize(byteCount: 0).description == "0")
  }

  @Test("a number of seconds may have a decimal fraction")
  func seconds() {
    #expect(DecimalSeconds("5")?.duration == .seconds(5))
    #expect(DecimalSeconds("0.2")?.duration == .milliseconds(200))
    #expect(DecimalSeconds("1.000000001")?.duration == .seconds(1) + .nanoseconds(1))
    for text in ["", ".", "1.", ".5", "-1", "1e3", "1.2.3", "1.0000000001", "99999999999999999999"]
    {
      #expect(DecimalSeconds(text) == nil, "\(text)")
    }
  }

  @Test("a merge command without options uses the defaults")
  func mergeDefaults() throws {
    let merge = try #require(try ThinMerge.checked(Self.merge) as? Merge)
    #expect(merge.arguments.options == MergeOptions())
    #expect(merge.outputFormat == .text)
    #expect(merge.progressMode == .auto)
    #expect(!merge.arguments.consent.yes)
    #expect(
      try merge.arguments.source.source()
        == .devices(MergeSource(metadataPath: "meta", dataPath: "data", deviceID: 7)))
  }

  @Test("the merge command passes all of its options to the engine")
  func mergeOptions() throws {
    let words =
      Self.merge + [
        "--metadata-snap", "9", "--ignore-needs-check", "--thin-size", "8s", "--past-end", "grow",
        "--journal", "j", "--trust-earlier-runs", "--verify", "--same-origin", "--queue-depth",
        "8", "--io-size", "64k", "--rate-limit", "10M", "--checkpoint-interval", "0.2", "-y",
        "--progress", "none", "--output", "json",
      ]
    let merge = try #require(try ThinMerge.checked(words) as? Merge)
    #expect(
      merge.arguments.options
        == MergeOptions(
          extent: ExtentOptions(thinByteCount: 4096, pastEnd: .grow),
          transfer: TransferOptions(queueDepth: 8, ioByteCount: 65536, rateLimit: 10 << 20),
          journalPath: "j", trustsEarlierRuns: true, verifies: true,
          checkpointInterval: .milliseconds(200), originIsTheSame: true))
    guard case .devices(let source) = try merge.arguments.source.source() else {
      Issue.record("not named by devices")
      return
    }
    #expect(source.mappings == .metadataSnapshot(block: 9))
    #expect(source.ignoresNeedsCheck)
    #expect(merge.arguments.consent.yes)
    #expect(merge.outputFormat == .json)
    #expect(merge.progressMode == .nothing)
    let again = try #require(try ThinMerge.checked(Self.merge + ["--restart"]) as? Merge)
    #expect(again.arguments.options.restarts)
    let finished = try #require(
      try ThinMerge.checked(Self.merge + ["--again"]) as? Merge)
    #expect(finished.arguments.options == MergeOptions(mergesAgain: true))
    let unread = try #require(try ThinMerge.checked(Self.merge + ["--no-compare"]) as? Merge)
    #expect(unread.arguments.options == MergeOptions(comparesFinished: false))
  }

  @Test("the plan verb and dry runs accept every option that merge accepts")
  func plan() throws {
    func options(_ verb: any ParsableCommand.Type) -> Set<String> {
      Set(ThinMerge.helpMessage(for: verb).matches(of: #/ (--[a-z-]+)/#).map { String($0.1) })
    }
    #expect(options(Merge.self).subtracting(options(Plan.self)) == ["--dry-run"])
    #expect(options(Plan.self).isSubset(of: options(Merge.self)))
    let plan = try #require(
      try ThinMerge.checked(["plan"] + Self.merge.dropFirst() + Self.everything) as? Plan)
    let merge = try #require(
      try ThinMerge.checked(Self.merge + Self.everything + ["-n"]) as? Merge)
    #expect(plan.arguments.options == merge.arguments.options)
    #expect(merge.rehearsal.dryRun)
    #expect(try ThinMerge.checked(["resume", "j", "--dry-run", "--yes"]) is Resume)
  }

  @Test(
    "the command printed in a report includes every option that the user typed",
    arguments: [
      everything, ["--restart", "--no-compare", "--force-format"],
      ["--again", "--verify", "--same-origin"], ["--same-data", "--unseen-loops-ok"],
      ["--inactive", "--yes", "--progress", "json", "--output", "json"], [],
    ])
  func printed(words: [String]) throws {
    let typed = try #require(try ThinMerge.checked(Self.merge + words) as? Merge).arguments
    let printed = try typed.words(typed.source.source())
    let again = try #require(try ThinMerge.checked(["merge"] + printed) as? Merge).arguments
    #expect(try again.source.source() == typed.source.source())
    #expect(again.options == typed.options)
    #expect(again.target.origin == typed.target.origin)
    #expect(again.consent.yes == typed.consent.yes)
    #expect(again.consent.loops.unseenLoopsOk == typed.consent.loops.unseenLoopsOk)
    #expect(again.report.progress == typed.report.progress)
    #expect(again.report.output.output == typed.report.output.output)
  }

  private static let everything = [
    "--metadata-snap", "9", "--thin-size", "8s", "--past-end", "grow", "--journal", "a b",
    "--trust-earlier-runs", "--verify", "--same-origin", "--queue-depth", "8", "--io-size", "64k",
    "--rate-limit", "10M", "--checkpoint-interval", "0.25", "-y", "--progress", "none", "--output",
    "json", "--snapshot", "--reactivate", "--make-origin-writable", "--other-users-ok",
  ]

  @Test("resume without options keeps all settings, and each option changes only its own")
  func resume() throws {
    let plain = try #require(try ThinMerge.checked(["resume", "j"]) as? Resume)
    #expect(plain.options == ResumeOptions())
    var again = ResumeOptions()
    again.mergesAgain = true
    #expect(try (ThinMerge.checked(["resume", "--again", "j"]) as? Resume)?.options == again)
    let words = ["resume", "j", "--origin", "o", "--queue-depth", "3", "--rate-limit", "1M"]
    let changed = try #require(try ThinMerge.checked(words) as? Resume)
    var expected = ResumeOptions()
    expected.originPath = "o"
    expected.queueDepth = 3
    expected.rateLimit = 1 << 20
    #expect(changed.options == expected)
  }

  @Test("every verb can be parsed in its shortest form")
  func shortest() throws {
    #expect(try ThinMerge.checked(["plan"] + Self.source) is Plan)
    #expect(try ThinMerge.checked(["verify"] + Self.source + ["--origin", "o"]) is Verify)
    #expect(try ThinMerge.checked(["verify", "--journal", "j"]) is Verify)
    #expect(try ThinMerge.checked(["status", "j"]) is Status)
    #expect(try ThinMerge.checked(["devices", "--metadata", "m"]) is Devices)
  }

  @Test(
    "an invalid command line is a usage error",
    arguments: [
      ["frobnicate"], [],
      ["merge", "vg/vm1", "--dev-id", "1"], ["merge", "vg/vm1", "--pool", "p"],
      ["merge", "vg/vm1"] + source, ["merge", "vg/vm1", "--inactive"], ["merge", ""],
      ["merge", "--pool", "p", "--origin", "o"], ["merge", "--pool", "", "--dev-id", "1"],
      ["merge", "--pool", "p", "--dev-id", "1", "--metadata", "m", "--origin", "o"],
      ["merge"] + source, merge + ["--metadata-snap", "5", "--inactive"],
      merge + ["--inactive", "--ignore-needs-check"],
      merge + ["--again", "--restart"], merge + ["--again", "--trust-earlier-runs"],
      merge + ["--again", "--no-compare"], merge + ["--verify", "--no-compare"],
      ["resume", "--again", "--trust-earlier-runs", "j"],
      merge + ["--restart", "--trust-earlier-runs"], merge + ["--dev-id", "16777216"],
      merge + ["--queue-depth", "0"], merge + ["--queue-depth", "4097"],
      merge + ["--io-size", "2k"], merge + ["--io-size", "65M"], merge + ["--io-size", "6k"],
      merge + ["--thin-size", "0"],
      merge + ["--rate-limit", "0"], merge + ["--checkpoint-interval", "0"],
      merge + ["--checkpoint-interval", "86401"], merge + ["--past-end", "cut"],
      merge + ["--output", "json", "--progress", "bar"],
      merge + ["--output", "json", "--progress", "lines"], merge + ["--metadata", ""],
      merge + ["--origin", ""], merge + ["--journal", ""],
      ["verify", "--journal", "j", "--data", "d"], ["verify"], ["verify"] + source,
      ["verify", "--journal", "j", "--past-end", "clip"], ["devices", "m"], merge + ["extra"],
      ["plan", "--metadata", "m", "--data", "d"], ["plan"] + source + ["--journal", "j"],
      ["plan"] + source + ["--rate-limit", "0"], ["devices"], ["status", ""], ["resume", ""],
    ])
  func usage(words: [String]) {
    #expect(Self.exitCode(words) == .validationFailure)
  }

  @Test("a usage error exits with status 64, and is printed as one object with JSON output")
  func usageStatus() async throws {
    let result = await #expect(
      processExitsWith: .exitCode(64), observing: [\.standardErrorContent]
    ) {
      exit(
        Invocation(arguments: ["merge", "--origin", "o", "--output", "json"]).exitStatus().rawValue)
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      .replacing(#/"time":"[-0-9T:]+Z"/#, with: #""time":"TIME""#)
    #expect(
      text
        == #"{"code":"usage","exit_status":64,"hint":"show the help with:\n  thin-merge merge --help","#
        + #""message":"no source given; give a thin device, or --metadata, --data and --dev-id","#
        + #""time":"TIME","type":"error","version":"0.1.0"}"# + "\n")
  }

  @Test(
    "a thin device of an active pool can be given as one argument, or as a pool and a device ID")
  func thinDevices() throws {
    let named = try #require(try ThinMerge.checked(["merge", "vg/vm1"]) as? Merge)
    #expect(
      try named.arguments.source.source()
        == .thinDevice(
          .device("vg/vm1"), mappings: .ownMetadataSnapshot, ignoresNeedsCheck: false))
    #expect(named.arguments.target.origin == nil)
    let words = ["merge", "--pool", "p", "--dev-id", "3", "--origin", "o", "--metadata-snap", "5"]
    let numbered = try #require(try ThinMerge.checked(words) as? Merge)
    #expect(
      try numbered.arguments.source.source()
        == .thinDevice(
          .member(pool: "p", deviceID: 3), mappings: .metadataSnapshot(block: 5),
          ignoresNeedsCheck: false))
    #expect(try numbered.arguments.source.source().words == Array(words[1...4] + words[7...8]))
  }

  @Test(
    "merge and resume have a flag for each permitted change to an active pool",
    arguments: [
      ("--snapshot", PoolOptions(allowsOpenThinDevice: true)),
      ("--reactivate", PoolOptions(reactivates: true)),
      ("--make-origin-writable", PoolOptions(makesOriginWritable: true)),
      ("--other-users-ok", PoolOptions(allowsOtherUsers: true)),
    ])
  func poolOptions(flag: String, options: PoolOptions) throws {
    let merge = try #require(try ThinMerge.checked(["merge", "vg/vm1", flag]) as? Merge)
    #expect(merge.arguments.options.pool == options)
    let resume = try #require(try ThinMerge.checked(["resume", "j", flag]) as? Resume)
    #expect(resume.options.pool == options)
  }

  @Test("the version is printed on one line")
  func version() {
    let error = #expect(throws: (any Error).self) { _ = try ThinMerge.checked(["--version"]) }
    #expect(error.map { ThinMerge.message(for: $0) } == "thin-merge 0.1.0")
  }

  @Test("the message format is determined even if the rest of the command line is invalid")
  func askedFormat() {
    #expect(Messages.format(askedIn: ["merge", "--wrong", "--output", "json"]) == .json)
    #expect(Messages.format(askedIn: ["merge", "--output=json", "-x"]) == .json)
    #expect(Messages.format(askedIn: ["--output=json", "--output", "text"]) == .text)
    #expect(Messages.format(askedIn: ["--output", "xml"]) == .text)
    #expect(Messages.format(askedIn: ["--", "--output", "json"]) == .text)
    #expect(Messages.format(askedIn: ["--output"]) == .text)
    #expect(Messages.format(askedIn: ["verify", "--progress", "json"]) == .json)
    #expect(Messages.format(askedIn: ["--progress=json", "--output=text"]) == .json)
    #expect(Messages.format(askedIn: ["--progress=json", "--progress=lines"]) == .text)
  }

  @Test("the journal folder is the one that the service manager sets, if any")
  func stateFolder() {
    #expect(ProcessEnvironment.stateFolder(variables: [:]) == "/var/lib/thin-merge")
    #expect(ProcessEnvironment.stateFolder(variables: ["STATE_DIRECTORY": "/a:/b"]) == "/a")
    #expect(
      ProcessEnvironment.stateFolder(variables: ["STATE_DIRECTORY": ""]) == "/var/lib/thin-merge")
  }

  @Test("root's pool records are always kept in the default folder")
  func poolStateFolder() {
    #expect(
      ProcessEnvironment.poolStateFolder(stateFolder: "/a", isRoot: true) == "/var/lib/thin-merge")
    #expect(ProcessEnvironment.poolStateFolder(stateFolder: "/a", isRoot: false) == "/a")
  }

  @Test("only an explicit yes counts as consent")
  func consent() {
    for answer in ["y", "Y", " yes ", "YES\r"] { #expect(Confirmation.isConsent(answer)) }
    for answer in [nil, "", "n", "ye", "yes please"] { #expect(!Confirmation.isConsent(answer)) }
  }

  @Test("no confirmation is needed to merge onto a target that is not a block device")
  func noQuestion() throws {
    #expect(
      try Confirmation.needed(
        ReportedSource(deviceID: 0, metadataPath: "m", dataPath: "d"), originPath: "/dev/null",
        yes: false, format: .json) == nil)
  }

  private static func exitCode(_ words: [String]) -> ExitCode {
    do {
      var command = try ThinMerge.checked(words)
      // Without a verb, parsing succeeds but running the command fails.
      if command is ThinMerge { try command.run() }
      return .success
    } catch {
      return ThinMerge.exitCode(for: error)
    }
  }
}

@Suite("Command: signals")
struct SignalTests {
  // These tests run on threads that block signals, as do all threads that may start a program.

  @Test("SIGHUP requests a stop, and each SIGUSR1 requests one status line")
  func first() async {
    await #expect(processExitsWith: .exitCode(42)) {
      Signals.install()
      raise(SIGPIPE)
      raise(SIGXFSZ)
      guard !Signals.interruption.isRequested, !Signals.takeStatusRequest() else { exit(1) }
      raise(SIGUSR1)
      guard Signals.takeStatusRequest(), !Signals.takeStatusRequest() else { exit(2) }
      raise(SIGHUP)
      exit(Signals.interruption.isRequested ? 42 : 3)
    }
  }

  @Test(
    "SIGTERM and SIGHUP never end the process; a second SIGINT requests a stop without draining")
  func second() async {
    await #expect(processExitsWith: .exitCode(42)) {
      Signals.install()
      for number in [SIGTERM, SIGHUP, SIGTERM, SIGINT, SIGHUP] { raise(number) }
      guard !Signals.interruption.isWithoutDraining else { exit(1) }
      raise(SIGINT)
      exit(Signals.interruption.isWithoutDraining ? 42 : 2)
    }
  }

  @Test("a third SIGINT ends the process immediately")
  func third() async {
    await #expect(processExitsWith: .exitCode(3)) {
      Signals.install()
      for _ in 1...3 { raise(SIGINT) }
      exit(1)
    }
  }

  @Test("SIGHUP stays ignored if it was ignored when the process started")
  func hangUp() async {
    await #expect(processExitsWith: .exitCode(42)) {
      signal(SIGHUP, SIG_IGN)
      Signals.install()
      raise(SIGHUP)
      exit(Signals.interruption.isRequested ? 1 : 42)
    }
  }

  @Test("openMissing opens any standard file descriptors that are closed")
  func descriptors() async {
    await #expect(processExitsWith: .exitCode(42)) {
      close(0)
      close(1)
      StandardStream.openMissing()
      exit(fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 ? 42 : 1)
    }
  }
}
