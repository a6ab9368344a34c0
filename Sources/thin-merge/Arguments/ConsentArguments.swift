internal import ArgumentParser

/// The checks that the caller requests, and the facts that the caller vouches for.
struct ConsentArguments: ParsableArguments {
  @Flag(help: "Read every merged block back afterwards, and compare.")
  var verify = false

  @Flag(help: "Merge again what differs, although the merge is finished; asks first.")
  var again = false

  @Flag(
    name: .shortAndLong,
    help: "Do not ask before writing to a block device or removing a volume.")
  var yes = false

  @Flag(help: "Do not read again what earlier runs recorded.")
  var trustEarlierRuns = false

  @Flag(help: "An origin without an identity is that of the earlier run.")
  var sameOrigin = false

  @Flag(help: "The data device is a copy of that of the earlier run.")
  var sameData = false

  @OptionGroup var loops: LoopDeviceArguments

  /// The words that give the command the same options again.
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
        "--same-data goes by the journal's checksums: --verify, --again and --trust-earlier-runs "
          + "cannot go with it")
    }
    if again, trustEarlierRuns {
      throw ValidationError(
        "--again compares what earlier runs recorded and --trust-earlier-runs does not: give one")
    }
  }
}

/// The caller's word that no loop device uses the file, if the system's loop devices cannot be
/// seen.
struct LoopDeviceArguments: ParsableArguments {
  @Flag(help: "Merge onto a file although loop devices cannot be seen.")
  var unseenLoopsOk = false
}
