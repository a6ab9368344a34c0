internal import ArgumentParser

/// What the caller vouches for.
struct ConsentArguments: ParsableArguments {
  @Flag(help: "Do not read again what earlier runs recorded.")
  var trustEarlierRuns = false

  @Flag(help: "After merging, read every merged block back and compare.")
  var verify = false

  @Flag(help: "The origin has no identity of its own, but it is the one of the earlier run.")
  var sameOrigin = false

  @Flag(name: .shortAndLong, help: "Do not ask before writing to a block device.")
  var yes = false
}
