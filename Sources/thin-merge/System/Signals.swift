internal import Glibc
internal import MergeEngine
internal import Synchronization

/// The only place in the program that handles signals.
///
/// A signal handler takes no context argument, so it can only access global state. These four
/// values are the only state shared with handlers; all other code gets them as arguments.
enum Signals {
  /// The stop request, made by the first of SIGINT, SIGTERM and SIGHUP.
  static let interruption = Interruption()
  private static let statusWanted = Atomic<Bool>(false)
  private static let interruptCount = Atomic<Int>(0)
  private static let cursorIsOnBar = Atomic<Bool>(false)

  /// Returns true if SIGUSR1 has arrived since the last call.
  static func takeStatusRequest() -> Bool {
    statusWanted.exchange(false, ordering: .relaxed)
  }

  /// Records whether the cursor is on a progress bar, so that a signal that ends the process moves
  /// it off the bar.
  static func barIsShown(_ isShown: Bool) {
    cursorIsOnBar.store(isShown, ordering: .relaxed)
  }

  /// Ignores signals that would end the process silently, and installs handlers for signals that
  /// request a stop or a status line.
  static func install() {
    ignore(SIGPIPE)
    ignore(SIGXFSZ)
    // Statics are initialized on first use, under a lock, which must not happen in a handler.
    _ = interruption.isRequested
    _ = takeStatusRequest()
    _ = interruptCount.load(ordering: .relaxed)
    barIsShown(false)
    handle(SIGINT, interrupt)
    handle(SIGTERM, stop)
    // Under nohup, SIGHUP is ignored from the start and stays ignored.
    if !isIgnored(SIGHUP) { handle(SIGHUP, stop) }
    handle(SIGUSR1, wantStatus)
    // A parent that started this process from a worker thread passes on that thread's signal mask.
    unblock([SIGINT, SIGTERM, SIGHUP, SIGUSR1])
  }

  // SAFETY: the handlers use only atomics, `poll`, `write` and `_exit`, which are allowed in signal
  // handlers; the arguments of the calls below live on the stack for the duration of each call.

  // When a connection is lost, the shell and the kernel send several of these signals, which count
  // as one request.
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

  /// Moves the cursor to the next line, unless the terminal currently accepts no output.
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
    // System calls restart after a signal, but waiting for user input uses `poll`, which never
    // restarts.
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
