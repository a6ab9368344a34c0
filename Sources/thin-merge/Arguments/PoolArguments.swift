internal import ArgumentParser
internal import MergeEngine

/// What may be done to an active pool, its thin devices and the origin.
struct PoolArguments: ParsableArguments {
  @Flag(help: "If the thin device is in use, merge a snapshot of it as it is now.")
  var snapshot = false

  @Flag(help: "Put the thin device back that is removed for the time of the merge.")
  var reactivate = false

  @Flag(help: "Lift device-mapper's write protection of the origin for the time of the merge.")
  var makeOriginWritable = false

  @Flag(help: "Merge although other thin devices show the origin, or may do so.")
  var otherUsersOk = false

  /// What the engine is told.
  var options: PoolOptions {
    PoolOptions(
      takesSnapshot: snapshot, reactivates: reactivate, makesOriginWritable: makeOriginWritable,
      allowsOtherUsers: otherUsersOk)
  }
}
