import Foundation

/// The output and exit status of a finished program.
struct CommandResult: Sendable {
  /// The exit status; 128 + the signal's number if a signal ended the program.
  var exitStatus: Int32
  var standardOutput: String
  var standardError: String
}

/// An error in the test support code itself, as opposed to a failure of the code under test.
struct SupportError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }

  /// Returns an error for the system call `what` that includes the message for errno `code`.
  static func system(_ what: String, code: Int32 = errno) -> SupportError {
    SupportError("\(what): \(unsafe String(cString: strerror(code)))")
  }
}

/// The destination of a child's standard output.
enum StandardOutputTarget {
  /// Captured and returned in ``CommandResult``.
  case captured
  /// A pipe that has no reader, so the first write to it fails with EPIPE.
  case brokenPipe
}

/// A child process whose output can be read while it runs.
///
/// Standard output and standard error go to unlinked files, so a child cannot block on a full pipe,
/// and output written before the child was killed is not lost.
final class ChildProcess {
  let processIdentifier: pid_t
  private let standardOutput: FileHandle
  private let standardError: FileHandle
  private var endedWith: Int32?

  /// Starts `arguments[0]`, looked up in PATH, with the signal state of a fresh shell.
  init(
    _ arguments: [String], environment: [String: String] = [:],
    standardOutputTarget: StandardOutputTarget = .captured
  ) throws {
    standardOutput = try Self.unlinkedFile()
    standardError = try Self.unlinkedFile()
    var outputDescriptor = standardOutput.fileDescriptor
    var brokenPipe: FileHandle?
    if standardOutputTarget == .brokenPipe {
      let writeEnd = try Self.writeEndOfBrokenPipe()
      outputDescriptor = writeEnd.fileDescriptor
      brokenPipe = writeEnd
    }
    processIdentifier = try Self.spawn(
      arguments, environment: environment, standardOutput: outputDescriptor,
      standardError: standardError.fileDescriptor)
    try brokenPipe?.close()
  }

  deinit {
    if endedWith == nil {
      kill(processIdentifier, SIGKILL)
      waitpid(processIdentifier, nil, 0)
    }
  }

  /// True if the program has not exited.
  var isRunning: Bool { pollExitStatus() == nil }

  /// Everything that the program has written to standard error so far.
  var standardErrorSoFar: String { Self.text(of: standardError) }

  /// Everything that the program has written to standard output so far.
  var standardOutputSoFar: String { Self.text(of: standardOutput) }

  /// Sends `signal` to the program, unless it is known to have exited.
  func send(_ signal: Int32) {
    if endedWith == nil { kill(processIdentifier, signal) }
  }

  /// Waits for the program to exit.
  ///
  /// - Parameter processorSecondsMax: The maximum processor time for the program and its
  ///   descendants, in seconds.
  /// - Returns: The exit status and all output.
  /// - Throws: `SupportError` if ``ProcessWatch`` gives up on the program, which is then killed.
  func wait(
    processorSecondsMax: Int = ProcessWatch.usualProcessorSeconds
  ) throws -> CommandResult {
    var watch = ProcessWatch(processIdentifier, processorSecondsMax: processorSecondsMax)
    let reason = poll(until: { pollExitStatus() != nil }) {
      watch.giveUpReason(outputByteCount: outputByteCount)
    }
    guard reason == nil, let exitStatus = endedWith else {
      send(SIGKILL)
      throw SupportError("given up: \(reason ?? "it has not ended"):\n\(standardErrorSoFar)")
    }
    return CommandResult(
      exitStatus: exitStatus, standardOutput: standardOutputSoFar,
      standardError: standardErrorSoFar)
  }

  /// Waits until `condition` is true or the program has exited.
  ///
  /// - Returns: True if `condition` became true.
  /// - Throws: `SupportError` if ``ProcessWatch`` gives up on the program.
  func waitUntil(_ condition: () throws -> Bool) throws -> Bool {
    var held = false
    var watch = ProcessWatch(processIdentifier)
    let reason = try poll {
      let running = isRunning
      held = try condition()
      return held || !running
    } givingUp: {
      watch.giveUpReason(outputByteCount: outputByteCount)
    }
    if let reason {
      throw SupportError("condition not met, given up: \(reason):\n\(standardErrorSoFar)")
    }
    return held
  }

  private var outputByteCount: Int {
    [standardOutput, standardError].reduce(0) { sum, file in
      var information = stat()
      let isKnown = unsafe fstat(file.fileDescriptor, &information) == 0
      return sum + (isKnown ? Int(information.st_size) : 0)
    }
  }

  private func pollExitStatus() -> Int32? {
    if endedWith != nil { return endedWith }
    var status: Int32 = 0
    guard unsafe waitpid(processIdentifier, &status, WNOHANG) == processIdentifier else {
      return nil
    }
    let signal = status & 0x7f
    endedWith = signal == 0 ? (status >> 8) & 0xff : 128 + signal
    return endedWith
  }

  private static func text(of handle: FileHandle) -> String {
    do {
      try handle.seek(toOffset: 0)
      return String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    } catch {
      return "(output not readable: \(error))"
    }
  }

  private static func unlinkedFile() throws -> FileHandle {
    let path = TemporaryFolder.parent + "/thin-merge-output-" + UUID().uuidString
    // With O_APPEND, the child's writes do not depend on the parent's read offset.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SupportError.system("open \(path)") }
    unsafe unlink(path)
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  private static func writeEndOfBrokenPipe() throws -> FileHandle {
    let ends = Pipe()
    try ends.fileHandleForReading.close()
    return ends.fileHandleForWriting
  }

  private static func spawn(
    _ arguments: [String], environment: [String: String], standardOutput: Int32,
    standardError: Int32
  ) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, standardOutput, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, standardError, 2)

    // The test threads block signals, and a child would inherit their signal mask.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))

    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let assignments = variables.map { "\($0.key)=\($0.value)" }
    var identifier: pid_t = 0
    let code = unsafe withCStrings(arguments) { argumentPointers in
      unsafe withCStrings(assignments) { variablePointers in
        unsafe posix_spawnp(
          &identifier, arguments[0], &actions, &attributes, argumentPointers, variablePointers)
      }
    }
    guard code == 0 else { throw SupportError.system("start \(arguments[0])", code: code) }
    return identifier
  }

  private static func withCStrings(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Int32
  ) -> Int32 {
    // SAFETY: The strings stay allocated until `body` returns, and each is freed exactly once.
    let pointers = unsafe strings.map { unsafe strdup($0) }
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(pointers + [nil])
  }
}

/// Polls until `condition` is true, or until `givingUp` returns a reason to stop.
///
/// - Returns: The reason to stop, or nil if the condition became true.
func poll(until condition: () throws -> Bool, givingUp: () -> String?) rethrows -> String? {
  var microseconds: UInt32 = 500
  while try !condition() {
    if let reason = givingUp() { return reason }
    usleep(microseconds)
    // The interval grows during a long wait, so that many tests can wait at once.
    microseconds = min(10_000, microseconds * 5 / 4)
  }
  return nil
}

/// Polls `condition` up to a thousand times, and returns true if the condition became true.
func poll(_ condition: () throws -> Bool) rethrows -> Bool {
  var questionCount = 0
  let reason = try poll(until: condition) {
    questionCount += 1
    return questionCount == 1000 ? "asked \(questionCount) times" : nil
  }
  return reason == nil
}

/// Runs the operating system programs that the tests need.
enum Program {
  /// Runs `arguments[0]` and returns its output, whatever its exit status.
  static func run(_ arguments: [String]) throws -> CommandResult {
    try ChildProcess(arguments).wait()
  }

  /// Runs a setup command, which must succeed, and returns its standard output.
  @discardableResult
  static func mustRun(_ arguments: String...) throws -> String {
    let result = try run(arguments)
    guard result.exitStatus == 0 else {
      let command = arguments.joined(separator: " ")
      throw SupportError("\(command): exit \(result.exitStatus): \(result.standardError)")
    }
    return result.standardOutput
  }

  /// Removes a file that must exist.
  static func remove(_ path: String) throws {
    try FileManager.default.removeItem(atPath: path)
  }
}
