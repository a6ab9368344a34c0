import Foundation

/// The output and exit status of a finished program.
struct CommandResult: Sendable {
  /// The exit status; 128 + the signal's number if a signal ended the program.
  var exitStatus: Int32
  var standardOutput: String
  var standardError: String
}

/// A failed step of the tests' own machinery, never the behavior under test.
struct SupportError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }

  /// Returns an error for the call `what` with the text of `code`, by default the current `errno`.
  static func system(_ what: String, code: Int32 = errno) -> SupportError {
    SupportError("\(what): \(unsafe String(cString: strerror(code)))")
  }
}

/// The destination of a child's standard output.
enum StandardOutputTarget {
  /// Captured and returned in ``CommandResult``.
  case captured
  /// A pipe without a reader: the first write to it fails with EPIPE.
  case brokenPipe
}

/// A started program, whose output can be read while it runs.
///
/// Both outputs go to unlinked files, so a child cannot block on a full pipe or lose output that it
/// wrote before it was killed.
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

  /// True if the program has not ended.
  var isRunning: Bool { pollExitStatus() == nil }

  /// The standard error that the program has written so far.
  var standardErrorSoFar: String { Self.text(of: standardError) }

  /// The standard output that the program has written so far.
  var standardOutputSoFar: String { Self.text(of: standardOutput) }

  /// Sends `signal`, unless the program is known to have ended.
  func send(_ signal: Int32) {
    if endedWith == nil { kill(processIdentifier, signal) }
  }

  /// Waits for the program to end.
  ///
  /// - Parameter processorSecondsMax: The processor time allowed to the program and its
  ///   descendants.
  /// - Returns: The exit status and all output.
  /// - Throws: `SupportError` for a program that ``ProcessWatch`` gives up and this function kills.
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

  /// Waits until `condition` is true or the program has ended.
  ///
  /// - Returns: True if `condition` became true.
  /// - Throws: `SupportError` for a program that ``ProcessWatch`` gives up.
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
    // With O_APPEND, the child's writes do not depend on this side's read offset.
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

    // The threads that run tests block signals, and a child would inherit their mask.
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
    // SAFETY: The strings stay allocated until `body` has returned, and are freed once.
    let pointers = unsafe strings.map { unsafe strdup($0) }
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(pointers + [nil])
  }
}

/// Polls until `condition` is true, or until `givingUp` returns a reason, which is then returned.
func poll(until condition: () throws -> Bool, givingUp: () -> String?) rethrows -> String? {
  var microseconds: UInt32 = 500
  while try !condition() {
    if let reason = givingUp() { return reason }
    usleep(microseconds)
    // Long waits poll less often, so that many tests can wait at once.
    microseconds = min(10_000, microseconds * 5 / 4)
  }
  return nil
}

/// Polls `condition` at most a thousand times, and returns true if it became true.
func poll(_ condition: () throws -> Bool) rethrows -> Bool {
  var questionCount = 0
  let reason = try poll(until: condition) {
    questionCount += 1
    return questionCount == 1000 ? "asked \(questionCount) times" : nil
  }
  return reason == nil
}

/// Operating system programs that the tests need.
enum Program {
  /// Runs `arguments[0]` and returns its output, whatever its exit status.
  static func run(_ arguments: [String]) throws -> CommandResult {
    try ChildProcess(arguments).wait()
  }

  /// Runs a preparation step, which must succeed, and returns its standard output.
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
