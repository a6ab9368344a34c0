import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import MergeEngine

@Suite("Command: loop devices being detached", .waitsForPrograms, .needsLoopDevices)
struct DetachedLoopTests {
  @Test("a search waits for a loop device to detach, and then finds none over the origin")
  func waitedFor() throws {
    let detaching = try Detaching()
    let clock = Clock(now: { .zero }, sleep: { _ in detaching.end() })
    guard case .none = MergeEngine.LoopDevice.search(over: detaching.origin, clock: clock) else {
      Issue.record("a loop device is said to lie over the origin")
      return
    }
    #expect(detaching.hasEnded)
  }

  @Test("a loop device that stays half detached is reported as not visible after at least 2 s")
  func waitedForInVain() throws {
    let detaching = try Detaching()
    let slept = Mutex(Duration.zero)
    let clock = Clock(
      now: { slept.withLock { $0 } }, sleep: { duration in slept.withLock { $0 += duration } })
    let found = MergeEngine.LoopDevice.search(over: detaching.origin, clock: clock)
    guard case .unseen(.node(_, .noSuchAddressOrDevice)) = found else {
      Issue.record("\(found)")
      return
    }
    // Another test's loop device may be detaching too, which adds to the time slept.
    #expect(slept.withLock { $0 } >= .seconds(2))
    detaching.end()
  }
}

/// A loop device, not backed by the origin, that was asked to detach but has not been closed for
/// the last time.
private final class Detaching: @unchecked Sendable {
  let origin: StorageExtent
  let path: String
  private let folder: TemporaryFolder
  private let descriptor: Mutex<Int32?>

  init() throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    let files = try ["origin.img", "other.img"].map { name in
      let file = folder.path(name)
      try Data(count: 1 << 20).write(to: URL(filePath: file))
      return file
    }
    origin = StorageExtent(try OpenFile(files[0], role: "origin", access: .readOnly))
    let device = try LoopDevice(backing: files[1])
    path = device.path
    let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
    // 0x4C01 is LOOP_CLR_FD in the kernel's linux/loop.h; the device detaches when it is last
    // closed.
    guard opened >= 0, ioctl(opened, 0x4C01) == 0 else { throw SupportError.system(path) }
    descriptor = Mutex(opened)
  }

  deinit { end() }

  var hasEnded: Bool { descriptor.withLock { $0 == nil } }

  func end() {
    descriptor.withLock { descriptor in
      if let opened = descriptor { close(opened) }
      descriptor = nil
    }
  }
}
