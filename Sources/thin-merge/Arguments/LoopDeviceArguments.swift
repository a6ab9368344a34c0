internal import ArgumentParser

/// What the caller vouches for where the system's loop devices cannot be seen.
struct LoopDeviceArguments: ParsableArguments {
  @Flag(help: "Merge onto a file although loop devices cannot be seen.")
  var unseenLoopsOk = false
}
