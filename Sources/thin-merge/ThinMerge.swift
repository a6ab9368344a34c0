internal import ArgumentParser

/// The `thin-merge` command.
@main
struct ThinMerge: ParsableCommand {
  static let versionNumber = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "thin-merge",
    abstract: "Merge a thin snapshot back into the thick volume it was created from.",
    discussion: """
      Exit status: 0 success; 1 verify found differences; 2 refused, nothing was written to the \
      origin; 3 stopped early, can be resumed unless the error says otherwise; 4 the journal \
      belongs to another unfinished merge, or is damaged; 5 busy, try again later; 64 usage error; \
      70 a bug in thin-merge; 74 success, but the report could not be written.
      """,
    version: "thin-merge \(versionNumber)",
    subcommands: [
      Merge.self, Resume.self, Verify.self, Plan.self, List.self, Status.self, Devices.self,
      Settle.self,
    ])

  static func main() {
    Signals.install()
    StandardStream.openMissing()
    let invocation = Invocation(arguments: ProcessArguments.typed)
    let status = invocation.exitStatus()
    _ = StandardStream.error.waitUntilWritten(while: EndPatience.ofErrors())
    exit(withError: ExitCode(status.rawValue))
  }

  /// The names of all verbs.
  static let verbs = configuration.subcommands.compactMap { $0.configuration.commandName }

  /// Returns the parsed command after checking that its options are valid in combination.
  static func checked(_ arguments: [String]) throws -> any ParsableCommand {
    let command = try parseAsRoot(arguments)
    try (command as? any Verb)?.check()
    return command
  }

  func run() throws {
    throw ValidationError("no command given; use one of \(Self.verbs.joined(separator: ", "))")
  }
}
