internal import Glibc
internal import MergeEngine

/// The terminal of the process, if there is one.
enum Terminal {
  /// The number of columns to assume for a terminal that does not report its size.
  static let columnCountFallback = 80
  /// The width in columns of a report that does not go to a terminal.
  static let reportColumnCountFallback = 72
  /// The maximum width of a report in columns; wider lines would be hard to read.
  private static let reportColumnCountMax = 100

  static var isStandardInput: Bool { isatty(STDIN_FILENO) == 1 }
  static var isStandardOutput: Bool { isatty(STDOUT_FILENO) == 1 }
  static var isStandardError: Bool { isatty(STDERR_FILENO) == 1 }

  /// The current number of columns of the terminal on standard error.
  static var columnCount: Int { columnCount(of: STDERR_FILENO) ?? columnCountFallback }

  /// The column at which report lines wrap; nil if standard output is not a terminal.
  static var outputColumnCount: Int? {
    columnCount(of: STDOUT_FILENO).map { min($0, reportColumnCountMax) }
  }

  /// The column at which messages wrap; nil if standard error is not a terminal.
  static var errorColumnCount: Int? {
    columnCount(of: STDERR_FILENO).map { min($0, reportColumnCountMax) }
  }

  /// The number of columns that figures in a report on standard output may use.
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

  /// Reads one line from standard input; returns nil at the end of input, or once `isCancelled`
  /// returns true.
  static func readLine(unless isCancelled: () -> Bool) -> String? {
    // SAFETY: both calls get a pointer to one structure or byte, which lives on the stack for the
    // duration of the call.
    var line: [UInt8] = []
    while !isCancelled() {
      var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      // A signal that arrives between the check above and the wait is noticed only after this
      // timeout of 500 ms.
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
