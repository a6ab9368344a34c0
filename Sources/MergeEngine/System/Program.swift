internal import CAIO
internal import Glibc
internal import SystemPackage

/// Runs programs that are installed on the system, such as LVM's commands.
package enum Program {
  /// The result of running a program.
  package enum End: Equatable, Sendable {
    /// The program exited successfully and wrote this to standard output.
    case succeeded(output: String)
    /// The program failed or could not be run; `words` is what it wrote to standard error, if that
    /// was captured.
    case failed(words: String)
    /// The program did not exit within the time limit.
    case noAnswer
  }

  /// The default time limit for a program that only queries something.
  package static let answerTimeMax = Duration.seconds(20)
  /// The time limit for a program that changes something.
  package static let changeTimeMax = Duration.seconds(120)
  /// How long to wait for a program to exit after sending it SIGTERM.
  private static let endTimeMax = Duration.seconds(10)
  /// The maximum number of bytes that a pipe can still contain after its writer exits.
  private static let pipeByteCountMax = 1 << 20
  /// How long to wait for a program to exit after sending it SIGKILL.
  private static let deathTimeMax = Duration.seconds(1)

  /// Runs a program and waits for it to exit, for at most `answerTimeMax`.
  ///
  /// A program that takes longer is sent SIGKILL. If it still does not exit, it is abandoned soon
  /// after: a process that is waiting for a device cannot be killed.
  package static func run(
    _ command: [String], answerTimeMax: Duration = answerTimeMax, clock: Clock = ThisSystem.clock
  ) -> End {
    path(of: command).map { run($0, command, answerTimeMax, clock) } ?? .failed(words: "")
  }

  /// Runs a program that changes something, waits for it to exit, and discards its standard output.
  ///
  /// A program that takes too long is sent SIGTERM, and is abandoned if it does not exit. It is
  /// never sent SIGKILL: killing LVM in the middle of a change would leave devices suspended. LVM
  /// blocks signals such as SIGTERM during a change.
  package static func runChange(
    _ command: [String], clock: Clock = ThisSystem.clock
  ) -> End {
    guard let path = path(of: command),
      let complaints = memory(),
      var child = start(path, command, output: nil, complaints: complaints.rawValue)
        .map(Child.init)
    else { return .failed(words: "") }
    if let status = child.status(until: clock.now() + changeTimeMax, clock) {
      return status == 0 ? .succeeded(output: "") : .failed(words: words(in: complaints))
    }
    kill(child.number, SIGTERM)
    _ = child.status(until: clock.now() + endTimeMax, clock)
    child.abandon()
    return .noAnswer
  }

  /// Creates an in-memory file to capture a program's standard error; unlike a pipe, it never
  /// blocks the program.
  private static func memory() -> OwnedDescriptor? {
    let descriptor = caio_memory_file()
    return descriptor < 0 ? nil : OwnedDescriptor(takingOwnershipOf: descriptor)
  }

  /// Returns a program's captured standard error as one line, without warnings or the final period.
  private static func words(in complaints: borrowing OwnedDescriptor) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    // SAFETY: the call writes no more bytes than the buffer holds.
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe pread(complaints.rawValue, $0.baseAddress, $0.count, 0)
    }
    let text = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
      .split(separator: "\n").map { $0.drop(while: \.isWhitespace) }
      .filter { !$0.isEmpty && !$0.hasPrefix("WARNING") }.joined(separator: " ")
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  private static func path(of command: [String]) -> String? {
    guard let name = command.first else { return nil }
    return ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map { "\($0)/\(name)" }
      .first(where: FileSystem.exists)
  }

  private static func run(
    _ path: String, _ command: [String], _ answerTimeMax: Duration, _ clock: Clock
  ) -> End {
    let deadline = clock.now() + answerTimeMax
    var ends: [CInt] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { return .failed(words: "") }
    let readEnd = OwnedDescriptor(takingOwnershipOf: ends[0])
    let child: Child?
    do {
      let writeEnd = OwnedDescriptor(takingOwnershipOf: ends[1])
      // Otherwise, another program started at the same time would keep the pipe open.
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      child = start(path, command, output: writeEnd.rawValue).map(Child.init)
    }
    guard var child else { return .failed(words: "") }
    guard let bytes = output(of: &child, readEnd, until: deadline, clock),
      let status = child.status(until: deadline, clock)
    else {
      kill(child.number, SIGKILL)
      _ = child.status(until: clock.now() + deathTimeMax, clock)
      child.abandon()
      return .noAnswer
    }
    return status == 0
      ? .succeeded(output: String(decoding: bytes, as: UTF8.self)) : .failed(words: "")
  }

  /// Reads a program's output until the program exits; returns nil if it has not exited by
  /// `deadline`.
  private static func output(
    of child: inout Child, _ readEnd: borrowing OwnedDescriptor, until deadline: Duration,
    _ clock: Clock
  ) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    var byteCountAfterEnd = 0
    while clock.now() < deadline {
      // This is checked before the pipe is read: if the program has exited by now, all of its
      // remaining output is already in the pipe.
      let hasEnded = child.hasEnded
      var readable = pollfd(fd: readEnd.rawValue, events: Int16(POLLIN), revents: 0)
      // SAFETY: the kernel accesses the structure, which is on the stack, only during the call.
      guard unsafe poll(&readable, 1, hasEnded ? 0 : 100) > 0 else {
        // A descendant of the program may keep the pipe open after the program exits.
        if hasEnded { return bytes }
        continue
      }
      // SAFETY: the call writes no more bytes than the buffer holds.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe read(readEnd.rawValue, $0.baseAddress, $0.count)
      }
      if count < 0, Errno.current == .interrupted { continue }
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
      guard hasEnded else { continue }
      byteCountAfterEnd += count
      // Anything beyond the capacity of the pipe was written by descendants of the program.
      guard byteCountAfterEnd < pipeByteCountMax else { return bytes }
    }
    return nil
  }

  /// A child process started by `Program`.
  private struct Child {
    let number: pid_t
    private var endStatus: CInt?

    init(_ number: pid_t) { self.number = number }

    var hasEnded: Bool {
      mutating get {
        guard endStatus == nil else { return true }
        var status: CInt = 0
        let ended = unsafe waitpid(number, &status, WNOHANG)
        if ended == number {
          endStatus = status
        } else if ended < 0, Errno.current != .interrupted {
          endStatus = -1
        }
        return endStatus != nil
      }
    }

    /// Waits for the process and returns its exit status; nil if it has not exited by `deadline`.
    mutating func status(until deadline: Duration, _ clock: Clock) -> CInt? {
      var nap = Duration.microseconds(50)
      while !hasEnded {
        guard clock.now() < deadline else { return nil }
        clock.sleep(nap)
        nap = min(nap * 2, .milliseconds(20))
      }
      return endStatus
    }

    /// Stops waiting for the process, and leaves it to a background thread that reaps it if it ever
    /// exits.
    ///
    /// Without that thread, the process would remain a zombie until this process exits, and every
    /// call that waits for any child would return it.
    func abandon() {
      guard endStatus == nil else { return }
      let number = number
      let waiting = try? SystemThread(stackByteCount: 64 << 10) {
        var status: CInt = 0
        while unsafe waitpid(number, &status, 0) < 0, Errno.current == .interrupted {}
      }
      if let waiting { waiting.detach() }
    }
  }

  /// Starts a program; returns nil if that fails.
  ///
  /// - `output`: the descriptor to use as standard output; nil for /dev/null.
  /// - `complaints`: the descriptor to use as standard error; nil for /dev/null.
  private static func start(
    _ path: String, _ command: [String], output: CInt?, complaints: CInt? = nil
  ) -> pid_t? {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    if let output {
      unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // Otherwise, the child would inherit the signals blocked in the calling thread, and SIGTERM
    // would not end it.
    var blocked = sigset_t()
    unsafe sigemptyset(&blocked)
    unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    // The child's error messages must not be mixed with those of thin-merge.
    if let complaints {
      unsafe posix_spawn_file_actions_adddup2(&actions, complaints, 2)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    }
    // SAFETY: the strings are copied and freed in this function; both lists end with nil, as the
    // call requires.
    var arguments = unsafe command.map { (text: String) in unsafe strdup(text.systemPath) } + [nil]
    let variables = [
      "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LVM_SUPPRESS_FD_WARNINGS=1",
    ]
    var environment = unsafe variables.map { (text: String) in unsafe strdup(text) } + [nil]
    defer {
      for index in unsafe arguments.indices { unsafe free(arguments[index]) }
      for index in unsafe environment.indices { unsafe free(environment[index]) }
    }
    var process = pid_t()
    let result = unsafe posix_spawn(
      &process, path, &actions, &attributes, &arguments, &environment)
    return result == 0 ? process : nil
  }
}
