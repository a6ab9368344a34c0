internal import Glibc

/// Standard output and standard error.
enum StandardStream {
  static let output = StreamWriter(to: STDOUT_FILENO)
  static let error = StreamWriter(to: STDERR_FILENO)

  /// Opens `/dev/null` on any of the three standard file descriptors that are closed.
  ///
  /// Otherwise, the next file opened would get that descriptor, and a report would overwrite the
  /// file.
  static func openMissing() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // `open` returns the lowest free descriptor, and all lower ones are open by now.
      _ = unsafe Glibc.open("/dev/null", O_RDWR)
    }
  }

  /// Returns true if standard error goes to the systemd journal.
  ///
  /// `JOURNAL_STREAM` contains the device and inode of the stream to the journal (systemd.exec(5)).
  /// The variable may be inherited by a process whose output goes elsewhere, so both are compared.
  static func errorIsJournal(variables: [String: String]) -> Bool {
    guard let stream = variables["JOURNAL_STREAM"] else { return false }
    var status = stat()
    // SAFETY: the call only fills the given structure.
    guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  /// Returns the system's description of an error number.
  static func reason(_ number: Int32) -> String {
    // SAFETY: the returned string is valid until this thread's next call to `strerror`.
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }

  /// Returns true if an error number means that the reader has closed the stream.
  static func isNobodyReading(_ number: Int32) -> Bool { number == EPIPE }
}
