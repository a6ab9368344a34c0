public import ArgumentParser
internal import MergeEngine

/// Options for the thin device's size and for the treatment of blocks past the origin's end.
struct ExtentArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Size of the thin device, if no table has it; nothing past it is merged.",
      valueName: "size"),
    transform: TypedNumber.size)
  var thinSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "Mapped blocks past the origin's end: refuse them, skip them, or extend the file.",
      valueName: "policy"))
  var pastEnd: PastEndPolicy = .refuse

  func validate() throws {
    guard let byteCount = thinSize?.byteCount else { return }
    guard byteCount > 0 else { throw ValidationError("--thin-size must be greater than 0") }
  }

  /// True if any of these options was given.
  var isGiven: Bool { thinSize != nil || pastEnd != .refuse }

  /// The command-line words that specify the same options.
  var words: [String] { options.words }

  /// The options in the form that the engine takes.
  var options: ExtentOptions {
    ExtentOptions(thinByteCount: thinSize?.byteCount, pastEnd: pastEnd)
  }
}

extension ExtentOptions {
  /// The command-line words that specify these options.
  var words: [String] {
    var words: [String] = []
    if let byteCount = thinByteCount { words += ["--thin-size", String(byteCount)] }
    if pastEnd != .refuse { words += ["--past-end", pastEnd.rawValue] }
    return words
  }
}

extension PastEndPolicy: ExpressibleByArgument {}
