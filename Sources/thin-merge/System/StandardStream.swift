internal import Glibc

/// Standard output and standard error.
enum StandardStream {
  static let output = StreamWriter(to: STDOUT_FILENO)
  static let error = StreamWriter(to: STDERR_FILENO)

  /// Opens `/dev/null` for each of the three standard descriptors that is closed.
  ///
  /// Otherwise the next opened file gets that number, and a report would overwrite the file.
  static func openMissing() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // `open` returns the lowest free number, and all lower ones are open by now.
      _ = unsafe Glibc.open("/dev/null", O_RDWR)
    }
  }

  /// Returns whether the systemd journal reads standard error.
  ///
  /// `JOURNAL_STREAM` contains device and inode of the journal's stream (systemd.exec(5)). The
  /// variable may be inherited from a service whose output goes elsewhere.
  static func errorIsJournal(variables: [String: String]) -> Bool {
    guard let stream = variables["JOURNAL_STREAM"] else { return false }
    var status = stat()
    // SAFETY: the call fills the structure given.
    guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  /// Returns the system's words for an error number.
  static func reason(_ number: Int32) -> String {
    // SAFETY: the returned string is valid until this thread's next such call.
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }

  /// Returns true if an error number means that nobody reads any more.
  static func isNobodyReading(_ number: Int32) -> Bool { number == EPIPE }
}
