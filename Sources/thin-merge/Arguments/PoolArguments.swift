internal import ArgumentParser
internal import MergeEngine

/// What may be done to an active pool, its thin devices and the origin.
struct PoolArguments: ParsableArguments {
  @Flag(help: "If the thin device is in use, merge a snapshot of it.")
  var snapshot = false

  @Flag(help: "Put the thin device back that the merge removes.")
  var reactivate = false

  @Flag(help: "Lift the origin's write protection meanwhile.")
  var makeOriginWritable = false

  @Flag(help: "Merge although others may show the same origin.")
  var otherUsersOk = false

  /// Refuses what is said of an active pool where it is said that the pool is not active.
  func check(inactive: Bool) throws {
    guard inactive, options != PoolOptions() else { return }
    throw ValidationError(
      "--inactive is for a pool that is not active: --snapshot, --reactivate, "
        + "--make-origin-writable and --other-users-ok cannot go with it")
  }

  /// What the engine is told.
  var options: PoolOptions {
    PoolOptions(
      takesSnapshot: snapshot, reactivates: reactivate, makesOriginWritable: makeOriginWritable,
      allowsOtherUsers: otherUsersOk)
  }
}
