internal import Glibc

/// Standard output and standard error.
enum StandardStream {
  static let output = StreamWriter(to: STDOUT_FILENO)
  static let error = StreamWriter(to: STDERR_FILENO)

  /// Opens `/dev/null` for each of the three standard descriptors that is closed.
  ///
  /// Otherwise the next file to be opened gets that number, and a report would be written onto it.
  static func openMissing() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // The lowest free number is taken, and all below this one are open by now.
      _ = unsafe Glibc.open("/dev/null", O_RDWR)
    }
  }

  /// Returns whether the journal of systemd reads standard error: `JOURNAL_STREAM` has device and inode of what it reads
  /// (systemd.exec(5)), and may have come down from a service whose output goes elsewhere by now.
  static func errorIsJournal(variables: [String: String]) -> Bool {
    guard let stream = variables["JOURNAL_STREAM"] else { return false }
    var status = stat()
    // SAFETY: the call fills the structure given.
    guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  /// The system's words for an error number.
  static func reason(_ number: Int32) -> String {
    // SAFETY: the system hands out a string that stays until the next such call of this thread.
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }

  /// Whether an error number only says that nobody reads any more.
  static func isNobodyReading(_ number: Int32) -> Bool { number == EPIPE }
}
