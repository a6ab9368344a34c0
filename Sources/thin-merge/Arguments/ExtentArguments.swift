public import ArgumentParser
internal import MergeEngine

/// How the ends of thin device and origin are brought together.
struct ExtentArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where the thin device ends, if no table says so; nothing past it is merged.",
      valueName: "size"),
    transform: TypedNumber.size)
  var thinSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "Mapped blocks past the origin's end: refused, left out, or in an extended file.",
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
