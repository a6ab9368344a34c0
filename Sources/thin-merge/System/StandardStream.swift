internal import Glibc

/// Standard output or standard error, written to without a buffer.
struct StandardStream: Sendable {
  static let output = StandardStream(number: STDOUT_FILENO)
  static let error = StandardStream(number: STDERR_FILENO)

  private let number: Int32

  private init(number: Int32) { self.number = number }

  /// Opens `/dev/null` for each of the three standard descriptors that is closed.
  ///
  /// Otherwise the next file to be opened gets that number, and a report would be written onto it.
  static func openMissing() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // The lowest free number is taken, and all below this one are open by now.
      _ = unsafe Glibc.open("/dev/null", O_RDWR)
    }
  }

  /// Writes all of `text`; the number of the error that prevented it, or nil.
  @discardableResult
  func write(_ text: String) -> Int32? {
    // SAFETY: the pointer is used within the closure, for the bytes that the buffer has.
    var copy = text
    return copy.withUTF8 { bytes in
      var rest = unsafe bytes[...]
      while unsafe !rest.isEmpty {
        let part = unsafe UnsafeBufferPointer(rebasing: rest)
        let written = unsafe Glibc.write(number, part.baseAddress, part.count)
        if written > 0 {
          unsafe rest = rest.dropFirst(written)
        } else if written < 0, errno != EINTR {
          return errno
        }
      }
      return nil
    }
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
