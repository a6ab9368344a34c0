internal import CAIO
internal import Glibc
internal import SystemPackage

/// Programs of the system.
package enum Program {
  /// How a program ended.
  package enum End: Equatable, Sendable {
    /// With success, and this is what it printed.
    case succeeded(output: String)
    /// It cannot be run, or fails; `words` is what it complained about, where that was asked for.
    case failed(words: String)
    /// It did not end in time.
    case noAnswer
  }

  /// How long a program may take to answer.
  package static let answerTimeMax = Duration.seconds(20)
  /// How long a program may take that changes something.
  package static let changeTimeMax = Duration.seconds(120)
  /// How long such a program may take to end once it is told to.
  private static let endTimeMax = Duration.seconds(10)
  /// The most that a pipe has of a program that has ended.
  private static let pipeByteCountMax = 1 << 20
  /// How long a program that was killed may take to be gone.
  private static let deathTimeMax = Duration.seconds(1)

  /// Runs a program, and waits for its end as long as it may take to answer.
  ///
  /// One that takes longer is killed once. A process that waits for a device cannot be ended, so that nobody waits for
  /// it any longer then.
  package static func run(
    _ command: [String], answerTimeMax: Duration = answerTimeMax, clock: Clock = ThisSystem.clock
  ) -> End {
    path(of: command).map { run($0, command, answerTimeMax, clock) } ?? .failed(words: "")
  }

  /// Runs a program that changes something, and waits for its end; what it prints is not kept.
  ///
  /// One that takes too long gets SIGTERM, and is left to itself if that does not end it: killed in the middle of a change,
  /// LVM would leave devices suspended. It blocks signals that long.
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

  /// A file in memory for what a program complains about: it never waits for a reader of that.
  private static func memory() -> OwnedDescriptor? {
    let descriptor = caio_memory_file()
    return descriptor < 0 ? nil : OwnedDescriptor(takingOwnershipOf: descriptor)
  }

  /// The sentences of a program's complaints in one line, without the last full stop, and but for warnings, which do not say why it failed.
  private static func words(in complaints: borrowing OwnedDescriptor) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    // SAFETY: the call writes at most the buffer's own count.
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
      // Another program that is started meanwhile would keep the pipe open.
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

  /// Reads what a program prints until its end; nil where that has not come by `deadline`.
  private static func output(
    of child: inout Child, _ readEnd: borrowing OwnedDescriptor, until deadline: Duration,
    _ clock: Clock
  ) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    var byteCountAfterEnd = 0
    while clock.now() < deadline {
      // Asked before the pipe: all that the program wrote is in there then.
      let hasEnded = child.hasEnded
      var readable = pollfd(fd: readEnd.rawValue, events: Int16(POLLIN), revents: 0)
      // SAFETY: the kernel reads and writes the structure that lives on the stack for the length of the call.
      guard unsafe poll(&readable, 1, hasEnded ? 0 : 100) > 0 else {
        // What it has started may have the pipe for longer.
        if hasEnded { return bytes }
        continue
      }
      // SAFETY: the call writes at most the buffer's own count.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe read(readEnd.rawValue, $0.baseAddress, $0.count)
      }
      if count < 0, Errno.current == .interrupted { continue }
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
      guard hasEnded else { continue }
      byteCountAfterEnd += count
      // What comes behind that is of others.
      guard byteCountAfterEnd < pipeByteCountMax else { return bytes }
    }
    return nil
  }

  /// A process that was started here.
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

    /// Returns how it ended; nil where it has not by `deadline`.
    mutating func status(until deadline: Duration, _ clock: Clock) -> CInt? {
      var nap = Duration.microseconds(50)
      while !hasEnded {
        guard clock.now() < deadline else { return nil }
        clock.sleep(nap)
        nap = min(nap * 2, .milliseconds(20))
      }
      return endStatus
    }

    /// Leaves it to a thread to wait for the end, which may never come; without one, its entry stays until this process
    /// ends, and who waits for any child finds that one each time.
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

  /// - `output`: what its standard output is; with nil, nothing reads it.
  /// - `complaints`: the same for its standard error.
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
    // A thread that blocks signals would hand that down, and the program would not end by SIGTERM.
    var blocked = sigset_t()
    unsafe sigemptyset(&blocked)
    unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    // What it complains about is not for the reader of our own messages.
    if let complaints {
      unsafe posix_spawn_file_actions_adddup2(&actions, complaints, 2)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    }
    // SAFETY: copies made and freed here; both lists end with nil, as the call wants.
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
