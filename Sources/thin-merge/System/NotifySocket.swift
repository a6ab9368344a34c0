internal import Glibc

/// A socket for sending a service manager messages about the service.
///
/// A message consists of `NAME=VALUE` lines, as in systemd's `sd_notify`.
final class NotifySocket: Sendable {
  private let number: Int32

  /// Connects to `address`, which is a path, or `@` followed by an abstract name.
  ///
  /// Returns nil if no process is listening there; the service still runs.
  init?(address text: String) {
    guard let first = text.utf8.first, text.utf8.count > 1,
      first == UInt8(ascii: "/") || first == UInt8(ascii: "@")
    else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(text.utf8)
    // SAFETY: the bytes are copied into the structure, which is checked to have room for them, and
    // the call only reads it.
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard name.count < room else { return nil }
    if first == UInt8(ascii: "@") { name[0] = 0 }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
    // The length delimits an abstract name: a name with one more zero byte would be a different
    // name.
    let length = socklen_t(MemoryLayout<sockaddr_un>.size - room + name.count)

    let descriptor = socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    let connected = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe connect(descriptor, pointer, length)
      }
    }
    guard connected == 0 else {
      close(descriptor)
      return nil
    }
    number = descriptor
  }

  deinit { close(number) }

  /// Sends one message without waiting, and returns whether it was accepted.
  ///
  /// A merge must not be delayed by a manager that does not read its messages.
  @discardableResult
  func send(_ message: String) -> Bool {
    // SAFETY: the call reads the bytes within the closure.
    var copy = message
    return copy.withUTF8 { bytes in
      unsafe Glibc.send(
        number, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        == bytes.count
    }
  }
}
