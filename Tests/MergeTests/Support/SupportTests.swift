import Foundation
import Testing

@Suite("Support: programs, folders, and devices")
struct SupportTests {
  @Test("running a program returns its outputs and exit status")
  func outputs() throws {
    let result = try Program.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
    #expect(result.exitStatus == 7)
    #expect(result.standardOutput == "out\n")
    #expect(result.standardError == "err\n")
  }

  @Test("the exit status of a program killed by a signal is 128 plus the signal number")
  func killed() throws {
    #expect(try Program.run(["sh", "-c", "kill -9 $$"]).exitStatus == 128 + SIGKILL)
  }

  @Test("standard error can be read before the program ends")
  func running() throws {
    let child = try ChildProcess(["sh", "-c", "echo ready >&2; exec sleep 60"])
    #expect(try child.waitUntil { child.standardErrorSoFar.contains("ready") })
    child.send(SIGTERM)
    #expect(try child.wait().exitStatus == 128 + SIGTERM)
  }

  @Test("a temporary folder is removed with its last reference")
  func folder() throws {
    var folder: TemporaryFolder? = try TemporaryFolder()
    let path = try #require(folder?.path)
    #expect(FileManager.default.fileExists(atPath: path))
    folder = nil
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("the digest of a file is its SHA-256")
  func digest() throws {
    let folder = try TemporaryFolder()
    try Data("abc".utf8).write(to: URL(filePath: folder.path("abc")))
    #expect(
      try sha256(ofFile: folder.path("abc"))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("a tmpfs folder does not accept more bytes than its size", .needsTmpfs)
  func tmpfs() throws {
    let folder = try TemporaryFolder(onTmpfsOf: 1 << 16)
    let copied = try Program.run(["dd", "if=/dev/zero", "of=\(folder.path("big"))", "count=256"])
    #expect(copied.exitStatus == 1)
  }

  @Test("a loop device has the requested sector size", .needsLoopDevices, arguments: [512, 4096])
  func loopDevice(sectorByteCount: Int) throws {
    let folder = try TemporaryFolder()
    try Data(count: 1 << 20).write(to: URL(filePath: folder.path("backing")))
    let device = try LoopDevice(
      backing: folder.path("backing"), sectorByteCount: sectorByteCount)
    let answer = try Program.mustRun("blockdev", "--getss", device.path)
    #expect(answer == "\(sectorByteCount)\n")
  }
}
