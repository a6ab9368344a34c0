internal import ArgumentParser
internal import MergeEngine

/// Undoes what runs that were killed left in active pools, or lists it.
struct Settle: Verb {
  static let configuration = CommandConfiguration(
    commandName: "settle",
    abstract: "Undo what runs that were killed left in active pools.",
    discussion: """
      Metadata snapshots are released, snapshots deleted, thin devices resumed and put back, and \
      origins made read-only again. What a merge needs that is not finished is kept.
      """)

  @Option(
    help: ArgumentHelp("Only this active pool.", valueName: "name"),
    completion: Completions.pools)
  var pool: String?

  @Flag(help: "List what is left, and what it keeps; change nothing.")
  var list = false

  @OptionGroup(title: "Output") var output: OutputArguments

  var outputFormat: OutputFormat { output.output }
  var progressMode: ProgressMode { .nothing }

  func check() throws {
    try pool.checkPath(of: "--pool <name>")
  }

  func perform(in session: Session) throws -> Outcome {
    let merger = session.merger()
    let pools = try list ? merger.leftovers(pool: pool) : merger.settle(pool: pool)
    let failure = list ? nil : Failure(settling: pools)
    return Outcome(
      report: outputFormat == .json
        ? JSONText.report(SettleDocument(pools, isList: list))
        : SettleText(pools: pools, isList: list, poolName: pool).text,
      failure: failure, exitStatus: failure?.exitStatus ?? .done)
  }
}

extension Failure {
  /// What of the pools could not be undone; nil where all was, or is recorded of pools that are not active.
  init?(settling pools: [PoolLeftovers]) {
    let errors = pools.filter { $0.state != .notActive }.compactMap(\.error)
    if let error = errors.first(where: { $0.kind != .busy }) {
      self.init(error)
    } else if let pool = pools.first(where: { !$0.notUndone.isEmpty }) {
      self.init(
        .notPutBack, .stopped,
        message: "not everything is undone that earlier runs did, pool \(pool.poolName ?? ""): "
          + pool.notUndone.map(\.textInCommandTerms).joined(separator: "; "),
        hints: ["the next merge of that pool, and 'thin-merge settle', try again"])
    } else if let error = errors.first {
      self.init(error)
    } else {
      return nil
    }
  }
}
