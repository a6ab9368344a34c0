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

  /// The words that say the same to the command again.
  var words: [String] { options.words }

  /// What the engine is told.
  var options: ExtentOptions {
    ExtentOptions(thinByteCount: thinSize?.byteCount, pastEnd: pastEnd)
  }
}

extension ExtentOptions {
  /// The words that give them to the command.
  var words: [String] {
    var words: [String] = []
    if let byteCount = thinByteCount { words += ["--thin-size", String(byteCount)] }
    if pastEnd != .refuse { words += ["--past-end", pastEnd.rawValue] }
    return words
  }
}

extension PastEndPolicy: ExpressibleByArgument {}
