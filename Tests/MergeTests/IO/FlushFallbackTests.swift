import Foundation
import Testing

@testable import MergeEngine

@Suite("I/O: flushes on a kernel whose AIO does not support them")
struct FlushFallbackTests {
  @Test("a flush that Linux AIO rejects as unsupported is done by a system call instead")
  func ownCall() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data().write(to: URL(filePath: path))
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    #expect(LinuxAIO.flushResult(of: file.fileDescriptor, -Int64(EINVAL)) == 0)
  }

  @Test("a flush fails if both Linux AIO and the system call reject it")
  func unknownToBoth() {
    let pipe = Pipe()
    let writer = pipe.fileHandleForWriting.fileDescriptor
    #expect(LinuxAIO.flushResult(of: writer, -Int64(EINVAL)) == -Int64(EINVAL))
  }

  @Test(
    "unless the fallback system call succeeds, the result of a flush is returned unchanged",
    arguments: [0, 4096, -Int64(EIO), -Int64(EINVAL)])
  func others(result: Int64) throws {
    #expect(LinuxAIO.flushResult(of: -1, result) == result)
    let file = try #require(FileHandle(forReadingAtPath: "/dev/null"))
    guard result != -Int64(EINVAL) else { return }
    #expect(LinuxAIO.flushResult(of: file.fileDescriptor, result) == result)
  }
}
