import Foundation

/// A pipe with a name that nobody reads until the test does.
final class UnreadPipe {
  let folder: TemporaryFolder
  var path: String { folder.path("pipe") }
  private let descriptor: Int32

  init() throws {
    folder = try TemporaryFolder()
    try Program.mustRun("mkfifo", folder.path("pipe"))
    // Both ends, so that neither opening it nor writing to it fails.
    descriptor = unsafe open(folder.path("pipe"), O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw SupportError.system("open a pipe") }
  }

  deinit { close(descriptor) }

  /// Fills it, so that whoever writes more waits.
  func fill() {
    let blanks = [UInt8](repeating: UInt8(ascii: " "), count: 4096)
    while unsafe write(descriptor, blanks, blanks.count) > 0 {}
  }

  /// Opens the end to write to; one that `blocks` waits where the pipe is full.
  func writer(blocks: Bool = true) throws -> FileHandle {
    let writer = unsafe open(path, O_WRONLY | O_CLOEXEC | (blocks ? 0 : O_NONBLOCK))
    guard writer >= 0 else { throw SupportError.system("open a pipe") }
    return FileHandle(fileDescriptor: writer, closeOnDealloc: true)
  }

  /// What is in it now, without the blanks that filled it.
  func read() -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
  }

  /// A wrapper under which a command's standard error goes there.
  var asStandardError: [String] { ["sh", "-c", "exec \"$@\" 2> \"$0\"", path] }
}
