internal import ArgumentParser
internal import MergeEngine

/// Options that permit changes to an active pool, its thin devices and the origin.
struct PoolArguments: ParsableArguments {
  @Flag(help: "Merge the current contents of a thin device that is in use.")
  var snapshot = false

  @Flag(help: "Merge the thin device itself, not a snapshot of it.")
  var noSnapshot = false

  @Flag(help: "With --no-snapshot: put the removed thin device back afterwards.")
  var reactivate = false

  @Flag(
    help: """
      Make a write-protected origin writable during the merge, even if LVM does not name it as \
      the external origin.
      """)
  var makeOriginWritable = false

  @Flag(help: "Merge even if other thin devices use the same origin.")
  var otherUsersOk = false

  /// Rejects options that contradict each other, and options for an active pool if `--inactive` is
  /// given.
  func check(inactive: Bool) throws {
    if snapshot, noSnapshot {
      throw ValidationError(
        "--snapshot merges a thin device that is in use, and --no-snapshot needs one that is not; "
          + "use one")
    }
    guard inactive, snapshot || noSnapshot || reactivate else { return }
    throw ValidationError(
      "--inactive is for a pool that is not active and cannot be combined with --snapshot, "
        + "--no-snapshot or --reactivate")
  }

  /// The command-line words that specify the same options.
  var words: [String] {
    [
      (snapshot, "--snapshot"), (noSnapshot, "--no-snapshot"), (reactivate, "--reactivate"),
      (makeOriginWritable, "--make-origin-writable"), (otherUsersOk, "--other-users-ok"),
    ].filter(\.0).map(\.1)
  }

  /// The options in the form that the engine takes.
  var options: PoolOptions {
    PoolOptions(
      allowsOpenThinDevice: snapshot, mergesThinDeviceItself: noSnapshot, reactivates: reactivate,
      makesOriginWritable: makeOriginWritable, allowsOtherUsers: otherUsersOk)
  }
}
