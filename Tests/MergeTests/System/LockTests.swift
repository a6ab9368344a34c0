import Foundation
import MergeEngine
import Synchronization
import Testing

@Suite("System: locks held by other programs", .needsLoopDevices)
struct LockTests {
  @Test("a device that another process locks for less than two seconds is then locked successfully")
  func momentOnDevice() throws {
    let (folder, device) = try device()
    let holder = Mutex<FileHandle?>(try HeldFile.withSharedFileLock(device.path))
    let time = VirtualClock()
    let clock = Clock(
      now: { time.now },
      sleep: {
        time.advance(by: $0)
        if time.now > .milliseconds(1500) { holder.withLock { $0 = nil } }
      })
    let file = try OpenFile(device.path, role: "origin", access: .readWrite)
    #expect(try file.lock(clock))
    withExtendedLifetime(folder) {}
  }

  @Test(
    "closing a file releases its lock even if a program being started has a copy of the descriptor")
  func copiedDescriptor() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data().write(to: URL(filePath: path))
    var file: OpenFile? = try OpenFile(
      path, role: "journal", access: .readWrite, direct: false, onlyRegularFiles: true)
    #expect(try file?.lock() == true)
    // The copy is like the one that a child process has between fork and exec.
    let copy = dup(try #require(file).descriptor)
    defer { close(copy) }
    file = nil
    let next = try OpenFile(
      path, role: "journal", access: .readWrite, direct: false, onlyRegularFiles: true)
    #expect(try next.lock())
  }

  @Test("locking a device that stays locked fails after two seconds")
  func deviceStaysLocked() throws {
    let (folder, device) = try device()
    let holder = try HeldFile.withSharedFileLock(device.path)
    let time = VirtualClock()
    let file = try OpenFile(device.path, role: "origin", access: .readWrite)
    #expect(try !file.lock(time.clock))
    #expect((.seconds(2)..<(.seconds(3))).contains(time.now))
    withExtendedLifetime((folder, holder)) {}
  }

  @Test("locking a file that stays locked fails within 20 ms")
  func fileStaysLocked() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data().write(to: URL(filePath: path))
    let holder = try HeldFile.withFileLock(path)
    let time = VirtualClock()
    let file = try OpenFile(path, role: "origin", access: .readWrite)
    #expect(try !file.lock(time.clock))
    #expect(time.now < .milliseconds(20))
    withExtendedLifetime(holder) {}
  }

  private func device() throws -> (TemporaryFolder, LoopDevice) {
    let folder = try TemporaryFolder()
    let path = folder.path("image")
    try Data(count: 1 << 20).write(to: URL(filePath: path))
    return (folder, try LoopDevice(backing: path))
  }
}
