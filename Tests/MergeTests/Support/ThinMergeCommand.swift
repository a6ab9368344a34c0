import Foundation

/// The `thin-merge` binary, run as a user would run it.
enum ThinMergeCommand {
  /// The binary under test: `THIN_MERGE_COMMAND` if set, otherwise ``checkedBinaryPath``.
  ///
  /// `scripts/test` sets the variable to the optimized program that is installed.
  static var binaryPath: String {
    ProcessInfo.processInfo.environment["THIN_MERGE_COMMAND"] ?? checkedBinaryPath
  }

  /// The binary built together with the tests, in a debug build with all its assertions.
  ///
  /// Tests run it on randomly damaged metadata, where an assertion can notice errors that the exit
  /// status and the output do not show. Damaged journals are read by the engine's debug build in
  /// the tests' own process. `scripts/sanitize` substitutes an optimized build, because each start
  /// of a sanitized debug build takes seconds.
  static var checkedBinaryPath: String {
    ProcessInfo.processInfo.environment["THIN_MERGE_CHECKED_COMMAND"]
      ?? URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "thin-merge").path(percentEncoded: false)
  }

  /// Arguments added to those of every command.
  @TaskLocal static var extraArguments: [String] = []

  /// Collects the end of each `merge` and `resume` run, and of the dry run before it.
  @TaskLocal static var rehearsals: Rehearsals?

  /// Runs the command to its end.
  ///
  /// - `wrapper`: a command line that the command is appended to, such as `["prlimit", …]`.
  /// - `environment`: variables set besides those of the test.
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

  /// Disables leak detection under strace, because LeakSanitizer cannot inspect a traced process.
  private static func variables(
    _ given: [String: String], under wrapper: [String]
  ) -> [String: String] {
    guard wrapper.first == "strace" else { return given }
    return ["LSAN_OPTIONS": "detect_leaks=0"].merging(given) { $1 }
  }

  /// Runs the command as a user without privileges.
  ///
  /// The binary is copied into `folder` first, because some users may not have access to its
  /// folder.
  static func runAsNobody(_ arguments: [String], in folder: TemporaryFolder) throws -> CommandResult
  {
    let copy = folder.path("thin-merge-for-everybody")
    if !FileManager.default.fileExists(atPath: copy) {
      // A separate program copies the binary: a file that this process writes cannot be executed
      // while a child that another test is starting still has a copy of the descriptor.
      try Program.mustRun("install", "-m", "0755", binaryPath, copy)
    }
    return try RunningCommand(asNobody + [copy] + arguments + extraArguments).wait()
  }

  private static let asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
}

/// A started `thin-merge` that may still be running.
typealias RunningCommand = ChildProcess
