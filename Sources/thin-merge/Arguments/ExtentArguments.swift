public import ArgumentParser
internal import MergeEngine

/// How the ends of thin device and origin are brought together.
struct ExtentArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "End of the thin device; nothing past it is merged.",
      discussion: "Where it is not given, it is taken to be the origin's, and the report says so.",
      valueName: "size"))
  var thinSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "Mapped blocks past the origin's end: refuse, leave them out, or extend a regular file.",
      valueName: "policy"))
  var pastEnd: PastEndPolicy = .refuse

  func validate() throws {
    guard let byteCount = thinSize?.byteCount else { return }
    guard byteCount > 0 else { throw ValidationError("--thin-size must be above 0") }
  }

  /// Whether anything of this was given.
  var isGiven: Bool { thinSize != nil || pastEnd != .refuse }

  /// What the engine is told.
  var options: ExtentOptions {
    ExtentOptions(thinByteCount: thinSize?.byteCount, pastEnd: pastEnd)
  }
}

extension PastEndPolicy: ExpressibleByArgument {}
