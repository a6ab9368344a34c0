internal import Glibc
internal import MergeEngine

/// The terminal around the program, if there is one.
enum Terminal {
  /// Columns where nothing tells how many there are.
  static let columnCountFallback = 80
  /// Columns of a report that does not go to a terminal.
  static let reportColumnCountFallback = 72
  /// A report is not wider than this: it would be hard to read.
  private static let reportColumnCountMax = 100

  static var isStandardInput: Bool { isatty(STDIN_FILENO) == 1 }
  static var isStandardError: Bool { isatty(STDERR_FILENO) == 1 }

  /// Columns of the terminal on standard error, as they are now.
  static var columnCount: Int { columnCount(of: STDERR_FILENO) ?? columnCountFallback }

  /// Columns that figures in a report on standard output may take.
  static var reportColumnCount: Int {
    columnCount(of: STDOUT_FILENO).map { min($0, reportColumnCountMax) }
      ?? reportColumnCountFallback
  }

  private static func columnCount(of descriptor: Int32) -> Int? {
    // SAFETY: the kernel fills the structure that lives on the stack for the length of the call.
    var window = winsize()
    let result = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &window)
    return result == 0 && window.ws_col > 0 ? Int(window.ws_col) : nil
  }

  /// Reads one line from standard input; nil at its end, or once `isCancelled` says so.
  static func readLine(unless isCancelled: () -> Bool) -> String? {
    // SAFETY: both calls get one structure or byte on the stack, for the length of the call.
    var line: [UInt8] = []
    while !isCancelled() {
      var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      // A signal between the check above and the wait is seen after this time.
      guard unsafe poll(&waiting, 1, 500) > 0 else { continue }
      var byte: UInt8 = 0
      guard unsafe read(STDIN_FILENO, &byte, 1) == 1 else { return nil }
      guard byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
    return nil
  }

  /// Whether `path` leads to a block device.
  static func isBlockDevice(_ path: String) -> Bool {
    // SAFETY: the kernel fills the structure that lives on the stack for the length of the call.
    var status = stat()
    return unsafe stat(path.systemPath, &status) == 0 && status.st_mode & S_IFMT == S_IFBLK
  }
}
