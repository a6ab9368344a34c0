internal import ArgumentParser
internal import MergeEngine

/// Cleans up what killed runs left in active pools and at origins, or lists it.
struct Settle: Verb {
  static let configuration = CommandConfiguration(
    commandName: "settle",
    abstract: "Undo what killed runs left behind in active pools and on origins.",
    discussion: """
      Releases metadata snapshots, deletes snapshots, resumes and restores thin devices, makes \
      origins read-only again (also those of merges without an active pool), and deactivates \
      volumes that a run activated. Keeps what an unfinished merge needs.
      """)

  @Option(
    help: ArgumentHelp("Settle only this active pool.", valueName: "name"),
    completion: Completions.pools)
  var pool: String?

  @Flag(help: "List what is left behind, and what that keeps in use; change nothing.")
  var list = false

  @OptionGroup(title: "Output") var output: OutputArguments

  var outputOptions: OutputArguments { output }
  var onlyReports: Bool { list }
  var progressMode: ProgressMode { .nothing }

  func check() throws {
    try pool.checkPath(of: "--pool <name>")
  }

  func perform(in session: Session) throws -> Outcome {
    let merger = session.merger()
    let left = try list ? merger.leftovers(pool: pool) : merger.settle(pool: pool)
    let failure = list ? nil : Failure(settling: left)
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(SettleDocument(left, isList: list))
        : SettleText(left: left, isList: list, poolName: pool, style: outputOptions.style).text,
      failure: failure, exitStatus: failure?.exitStatus ?? .done)
  }
}

extension Failure {
  /// Creates the failure for changes that could not be undone; nil if all were undone, or if all
  /// that remain are recorded for inactive pools.
  init?(settling left: Leftovers) {
    let errors =
      left.pools.filter { $0.state != .notActive }.compactMap(\.error)
      + left.origins.compactMap(\.error)
    if let error = errors.first(where: { $0.kind != .busy }) {
      self.init(error)
    } else if let pool = left.pools.first(where: { !$0.notUndone.isEmpty }) {
      self.init(
        notUndone: pool.notUndone, of: "pool \(pool.poolName ?? "")",
        nextTry: "the next merge of that pool")
    } else if let origin = left.origins.first(where: { !$0.notUndone.isEmpty }) {
      self.init(
        notUndone: origin.notUndone, of: "origin in \(origin.recordPath)",
        nextTry: "the next merge")
    } else if let volume = left.volumes.first(where: { !$0.notUndone.isEmpty }) {
      self.init(
        notUndone: volume.notUndone, of: "volume \(volume.name)",
        nextTry: "the next merge")
    } else if let error = errors.first {
      self.init(error)
    } else {
      return nil
    }
  }

  private init(notUndone: [MergeNote], of place: String, nextTry: String) {
    self.init(
      .notPutBack, .stopped,
      message: "some changes of earlier runs could not be undone, \(place): "
        + notUndone.map(\.textInCommandTerms).joined(separator: "; "),
      hints: ["\(nextTry) retries that; to retry it now, run".above(ShellCommand.settle().text)])
  }
}
