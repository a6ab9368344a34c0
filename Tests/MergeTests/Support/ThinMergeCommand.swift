import Foundation

/// The `thin-merge` binary, run as a user would run it.
enum ThinMergeCommand {
  /// The path of the binary under test.
  ///
  /// `THIN_MERGE_COMMAND` if set, otherwise ``checkedBinaryPath``.
  ///
  /// `scripts/test` sets the variable to the optimized binary that users install.
  static var binaryPath: String {
    ProcessInfo.processInfo.environment["THIN_MERGE_COMMAND"] ?? checkedBinaryPath
  }

  /// The path of the debug build made together with the tests, with all assertions enabled.
  ///
  /// Tests run it on randomly damaged metadata, where an assertion can catch errors that the exit
  /// status and the output do not reveal. Damaged journals are read by the engine's debug build in
  /// the tests' own process. `scripts/sanitize` substitutes an optimized build, because each start
  /// of a sanitized debug build takes seconds.
  static var checkedBinaryPath: String {
    ProcessInfo.processInfo.environment["THIN_MERGE_CHECKED_COMMAND"]
      ?? URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "thin-merge").path(percentEncoded: false)
  }

  /// Extra arguments passed to every command.
  @TaskLocal static var extraArguments: [String] = []

  /// Collects the outcome of each `merge` and `resume` run, and of the dry run that preceded it.
  @TaskLocal static var rehearsals: Rehearsals?

  /// Runs the command until it exits.
  ///
  /// - `wrapper`: a command line to which the command is appended, such as `["prlimit", …]`.
  /// - `environment`: environment variables to set in addition to those of the test process.
  static func run(
    _ arguments: [String], under wrapper: [String] = [], environment: [String: String] = [:],
    binaryPath: String = Self.binaryPath
  ) throws -> CommandResult {
    func run(_ options: [String] = []) throws -> CommandResult {
      try RunningCommand(
        wrapper + [binaryPath] + arguments + options + extraArguments,
        environment: variables(environment, under: wrapper)
      ).wait()
    }
    guard let rehearsals, ["merge", "resume"].contains(arguments.first) else { return try run() }
    let (dry, real) = (try run(["--dry-run"]), try run())
    rehearsals.append("\(arguments)", dry: Rehearsals.End(dry), real: Rehearsals.End(real))
    return real
  }

  /// Starts the command, so that a test can signal or watch it while it runs.
  static func start(
    _ arguments: [String], under wrapper: [String] = [], environment: [String: String] = [:],
    standardOutputTarget: StandardOutputTarget = .captured
  ) throws -> RunningCommand {
    try RunningCommand(
      wrapper + [binaryPath] + arguments + extraArguments,
      environment: variables(environment, under: wrapper),
      standardOutputTarget: standardOutputTarget)
  }

  /// Returns the environment of the command, with leak detection disabled under strace.
  ///
  /// LeakSanitizer cannot inspect a traced process.
  private static func variables(
    _ given: [String: String], under wrapper: [String]
  ) -> [String: String] {
    guard wrapper.first == "strace" else { return given }
    return ["LSAN_OPTIONS": "detect_leaks=0"].merging(given) { $1 }
  }

  /// Runs the command as an unprivileged user.
  ///
  /// The binary is copied into `folder` first, because that user may not have access to the build
  /// folder.
  static func runAsNobody(_ arguments: [String], in folder: TemporaryFolder) throws -> CommandResult
  {
    let copy = folder.path("thin-merge-for-everybody")
    if !FileManager.default.fileExists(atPath: copy) {
      // A separate program copies the binary. If this process wrote the file, a child that another
      // test is starting could hold a copy of the descriptor, and the file could not be executed.
      try Program.mustRun("install", "-m", "0755", binaryPath, copy)
    }
    return try RunningCommand(asNobody + [copy] + arguments + extraArguments).wait()
  }

  private static let asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
}

/// A `thin-merge` process that was started and may still be running.
typealias RunningCommand = ChildProcess
