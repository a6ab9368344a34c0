internal import ArgumentParser

/// The command.
@main
struct ThinMerge: ParsableCommand {
  static let versionNumber = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "thin-merge",
    abstract: "Merge a dm-thin device onto its external origin.",
    discussion: """
      Exit status: 0 done; 1 verify found differences; 2 refused, the origin was not written to; 3 stopped \
      early, can be resumed unless the error says otherwise; 4 the journal belongs to another unfinished merge or is damaged; \
      5 busy, try later; 64 usage; 70 a mistake in this program; 74 all was done, and its report \
      could not be written.
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

  /// The names of the commands.
  static let verbs = configuration.subcommands.compactMap { $0.configuration.commandName }

  /// Returns the typed command after checking its options together.
  static func checked(_ arguments: [String]) throws -> any ParsableCommand {
    let command = try parseAsRoot(arguments)
    try (command as? any Verb)?.check()
    return command
  }

  func run() throws {
    throw ValidationError("no command given; there are \(Self.verbs.joined(separator: ", "))")
  }
}
