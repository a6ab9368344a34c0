internal import ArgumentParser

/// Options for the checks that the user requests and the facts that the user vouches for.
struct ConsentArguments: ParsableArguments {
  @Flag(help: "Read every merged block back afterwards and compare it.")
  var verify = false

  @Flag(help: "Compare a finished merge and rewrite what differs; asks first.")
  var again = false

  @Flag(
    name: .shortAndLong,
    help: "Do not ask before writing to a block device or removing a volume.")
  var yes = false

  @Flag(help: "Do not reread what earlier runs recorded.")
  var trustEarlierRuns = false

  @Flag(
    help: "Assume an origin or a data device without an identity is the one from the earlier run.")
  var sameOrigin = false

  @Flag(help: "Accept a copy of the earlier run's data device.")
  var sameData = false

  @OptionGroup var loops: LoopDeviceArguments

  /// The command-line words that specify the same options.
  var words: [String] {
    [
      (verify, "--verify"), (again, "--again"), (yes, "--yes"),
      (trustEarlierRuns, "--trust-earlier-runs"), (sameOrigin, "--same-origin"),
      (sameData, "--same-data"), (loops.unseenLoopsOk, "--unseen-loops-ok"),
    ].filter(\.0).map(\.1)
  }

  func validate() throws {
    if sameData, again || trustEarlierRuns || verify {
      throw ValidationError(
        "--same-data relies on the journal's checksums and cannot be combined with --verify, "
          + "--again or --trust-earlier-runs")
    }
    if again, trustEarlierRuns {
      throw ValidationError(
        "--again compares what earlier runs recorded, and --trust-earlier-runs does not; use one")
    }
  }
}

/// The option with which the user vouches that no loop device uses the file, for when the system's
/// loop devices cannot be seen.
struct LoopDeviceArguments: ParsableArguments {
  @Flag(help: "Merge into a file even if loop devices cannot be seen.")
  var unseenLoopsOk = false
}
