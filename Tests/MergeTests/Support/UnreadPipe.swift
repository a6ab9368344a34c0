import Foundation

/// A named pipe that has no reader other than the test.
final class UnreadPipe {
  let folder: TemporaryFolder
  var path: String { folder.path("pipe") }
  private let descriptor: Int32

  init() throws {
    folder = try TemporaryFolder()
    try Program.mustRun("mkfifo", folder.path("pipe"))
    // O_RDWR opens both ends, so that neither opening the pipe nor writing to it fails.
    descriptor = unsafe open(folder.path("pipe"), O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw SupportError.system("open a pipe") }
  }

  deinit { close(descriptor) }

  /// Fills the pipe, so that the next write blocks.
  func fill() {
    let blanks = [UInt8](repeating: UInt8(ascii: " "), count: 4096)
    while unsafe write(descriptor, blanks, blanks.count) > 0 {}
  }

  /// Opens the write end.
  ///
  /// If `blocks` is true, a write blocks while the pipe is full.
  func writer(blocks: Bool = true) throws -> FileHandle {
    let writer = unsafe open(path, O_WRONLY | O_CLOEXEC | (blocks ? 0 : O_NONBLOCK))
    guard writer >= 0 else { throw SupportError.system("open a pipe") }
    return FileHandle(fileDescriptor: writer, closeOnDealloc: true)
  }

  /// Drains the pipe and returns what it contained, without the spaces used to fill it.
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

  /// A wrapper command that redirects the standard error of another command to the pipe.
  var asStandardError: [String] { ["sh", "-c", "exec \"$@\" 2> \"$0\"", path] }
}
