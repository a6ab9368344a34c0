internal import Glibc
internal import MergeEngine

/// The terminal of the process, if there is one.
enum Terminal {
  /// The columns of a terminal that does not report its size.
  static let columnCountFallback = 80
  /// The columns of a report that does not go to a terminal.
  static let reportColumnCountFallback = 72
  /// The widest report; wider lines would be hard to read.
  private static let reportColumnCountMax = 100

  static var isStandardInput: Bool { isatty(STDIN_FILENO) == 1 }
  static var isStandardOutput: Bool { isatty(STDOUT_FILENO) == 1 }
  static var isStandardError: Bool { isatty(STDERR_FILENO) == 1 }

  /// The current columns of the terminal on standard error.
  static var columnCount: Int { columnCount(of: STDERR_FILENO) ?? columnCountFallback }

  /// The columns at which lines of a report wrap; nil if it does not go to a terminal.
  static var outputColumnCount: Int? {
    columnCount(of: STDOUT_FILENO).map { min($0, reportColumnCountMax) }
  }

  /// The columns at which messages wrap; nil if they do not go to a terminal.
  static var errorColumnCount: Int? {
    columnCount(of: STDERR_FILENO).map { min($0, reportColumnCountMax) }
  }

  /// The columns that figures in a report on standard output may take.
  static var reportColumnCount: Int {
    outputColumnCount ?? reportColumnCountFallback
  }

  private static func columnCount(of descriptor: Int32) -> Int? {
    // SAFETY: the kernel fills the structure, which lives on the stack for the duration of the
    // call.
    var window = winsize()
    let result = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &window)
    return result == 0 && window.ws_col > 0 ? Int(window.ws_col) : nil
  }

  /// Reads one line from standard input; returns nil at its end, or once `isCancelled` returns
  /// true.
  static func readLine(unless isCancelled: () -> Bool) -> String? {
    // SAFETY: both calls get one structure or byte on the stack, for the duration of the call.
    var line: [UInt8] = []
    while !isCancelled() {
      var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      // A signal between the check above and the wait is noticed after this timeout of 500 ms.
      guard unsafe poll(&waiting, 1, 500) > 0 else { continue }
      var byte: UInt8 = 0
      guard unsafe read(STDIN_FILENO, &byte, 1) == 1 else { return nil }
      guard byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
    return nil
  }

  /// Returns true if `path` leads to a block device.
  static func isBlockDevice(_ path: String) -> Bool {
    // SAFETY: the kernel fills the structure, which lives on the stack for the duration of the
    // call.
    var status = stat()
    return unsafe stat(path.systemPath, &status) == 0 && status.st_mode & S_IFMT == S_IFBLK
  }
}
