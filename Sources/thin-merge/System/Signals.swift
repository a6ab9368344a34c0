internal import Glibc
internal import MergeEngine
internal import Synchronization

/// The one place where signals reach the program.
///
/// A handler has no argument of ours, so what it sets or asks must be reachable without one: these four are
/// the only state of the process, shared with handlers and handed in to everything else.
enum Signals {
  /// Asked to stop by the first of SIGINT, SIGTERM and SIGHUP.
  static let interruption = Interruption()
  private static let statusWanted = Atomic<Bool>(false)
  private static let interruptCount = Atomic<Int>(0)
  private static let cursorIsOnBar = Atomic<Bool>(false)

  /// Whether SIGUSR1 came since the last call.
  static func takeStatusRequest() -> Bool {
    statusWanted.exchange(false, ordering: .relaxed)
  }

  /// Takes note of whether the cursor is on a bar, which is to be left if a signal ends the process.
  static func barIsShown(_ isShown: Bool) {
    cursorIsOnBar.store(isShown, ordering: .relaxed)
  }

  /// Ignores what would end the process without a word, and listens to what asks it to stop.
  static func install() {
    ignore(SIGPIPE)
    ignore(SIGXFSZ)
    // Statics are made on first use, under a lock: that must not happen in a handler.
    _ = interruption.isRequested
    _ = takeStatusRequest()
    _ = interruptCount.load(ordering: .relaxed)
    barIsShown(false)
    handle(SIGINT, interrupt)
    handle(SIGTERM, stop)
    // Under nohup the hang-up is ignored from the start, and stays so.
    if !isIgnored(SIGHUP) { handle(SIGHUP, stop) }
    handle(SIGUSR1, wantStatus)
    // A parent that started us from one of its worker threads hands down what they block.
    unblock([SIGINT, SIGTERM, SIGHUP, SIGUSR1])
  }

  // SAFETY: the handlers use atomics, `poll`, `write` and `_exit` only, which POSIX allows at any moment;
  // what is given to the calls below lives on the stack for the length of the call.

  // A lost connection sends several of these, from the shell and from the kernel, and is one request.
  private static let stop: @convention(c) (Int32) -> Void = { _ in interruption.request() }

  private static let interrupt: @convention(c) (Int32) -> Void = { _ in
    switch interruptCount.wrappingAdd(1, ordering: .relaxed).oldValue {
    case 0: interruption.request()
    case 1: interruption.requestWithoutDraining()
    default:
      if cursorIsOnBar.load(ordering: .relaxed) { endLine() }
      _exit(ExitStatus.stopped.rawValue)
    }
  }

  /// Moves the cursor on to the next line, unless the terminal takes nothing now.
  private static func endLine() {
    var terminal = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    var end = UInt8(ascii: "\n")
    if unsafe poll(&terminal, 1, 0) > 0 { _ = unsafe write(STDERR_FILENO, &end, 1) }
  }

  private static let wantStatus: @convention(c) (Int32) -> Void = { _ in
    statusWanted.store(true, ordering: .relaxed)
  }

  private static func ignore(_ number: Int32) {
    _ = signal(number, SIG_IGN)
  }

  private static func handle(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = handler
    // Calls go on after a signal; what waits for a person polls, and polling is never restarted.
    action.sa_flags = Int32(SA_RESTART)
    _ = unsafe sigaction(number, &action, nil)
  }

  private static func unblock(_ numbers: [Int32]) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in numbers { unsafe sigaddset(&set, number) }
    _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard unsafe sigaction(number, nil, &action) == 0 else { return false }
    let current = unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    let ignoring = unsafe unsafeBitCast(SIG_IGN, to: Int.self)
    return current == ignoring
  }
}
