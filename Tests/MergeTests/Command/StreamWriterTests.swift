import Foundation
import Synchronization
import Testing

@testable import thin_merge

@Suite("Command: unread standard output and standard error")
struct StreamWriterTests {
  @Test(
    "writing to a full pipe does not block the caller, and the text arrives once the pipe is read")
  func fullPipe() throws {
    let pipe = try UnreadPipe()
    pipe.fill()
    let time = VirtualClock()
    let handle = try pipe.writer()
    let writer = StreamWriter(to: handle.fileDescriptor, clock: time.clock)
    writer.write("one\n")
    writer.write("two\n")
    #expect(writer.waitUntilWritten { $0 < .seconds(60) } == .notRead)
    var text = ""
    #expect(
      poll {
        text += pipe.read()
        return text.hasSuffix("two\n")
      })
    #expect(text == "one\ntwo\n")
    withExtendedLifetime(handle) {}
  }

  @Test("if too much output is unread, notes are dropped but errors are not")
  func dispensable() throws {
    let pipe = try UnreadPipe()
    pipe.fill()
    let handle = try pipe.writer()
    let writer = StreamWriter(to: handle.fileDescriptor, clock: VirtualClock().clock)
    let note = String(repeating: "n", count: 999) + "\n"
    for _ in 0..<1000 { writer.write(note, isDispensable: true) }
    let error = String(repeating: "e", count: 999) + "\n"
    writer.write(error)
    #expect(writer.hasIndispensable)
    var text = ""
    #expect(
      poll {
        text += pipe.read()
        return text.hasSuffix(error)
      })
    #expect(text.count < 100_000)
    #expect(text.replacing(note, with: "") == error)
    #expect(poll { !writer.hasIndispensable })
    withExtendedLifetime(handle) {}
  }

  @Test("text written to a nonblocking pipe arrives in full")
  func pipeThatDoesNotBlock() throws {
    let pipe = try UnreadPipe()
    let handle = try pipe.writer(blocks: false)
    let writer = StreamWriter(to: handle.fileDescriptor)
    let report = String(repeating: "0123456789", count: 50_000)
    writer.write(report)
    var text = ""
    #expect(
      poll {
        text += pipe.read()
        return text.count >= report.count
      })
    #expect(text == report)
    #expect(writer.waitUntilWritten { _ in true } == .written)
    withExtendedLifetime(handle) {}
  }

  @Test("waitUntilWritten returns the first error from the system")
  func full() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let writer = StreamWriter(to: full.fileDescriptor)
    writer.write("report\n")
    #expect(writer.waitUntilWritten { _ in true } == .failed(ENOSPC))
    withExtendedLifetime(full) {}
  }

  @Test(
    "the program waits longer for an error message to be written than for a note, but not forever")
  func patience() throws {
    let pipe = try UnreadPipe()
    pipe.fill()
    let handle = try pipe.writer()
    let time = VirtualClock()
    let writer = StreamWriter(to: handle.fileDescriptor, clock: time.clock)
    writer.write("note\n", isDispensable: true)
    let afterNote = EndPatience.ofErrors(writer, isStopping: { false })
    #expect(afterNote(.milliseconds(900)) && !afterNote(.seconds(2)))
    writer.write("error\n")
    let afterError = EndPatience.ofErrors(writer, isStopping: { false })
    #expect(afterError(.seconds(50)) && !afterError(.seconds(61)))
    let whenStopped = EndPatience.ofErrors(writer, isStopping: { true })
    #expect(whenStopped(.seconds(4)) && !whenStopped(.seconds(6)))
    // If text were still waiting when the descriptor is closed, it would go to the next file that
    // gets the same descriptor.
    #expect(
      poll {
        _ = pipe.read()
        return !writer.hasIndispensable
      })
    withExtendedLifetime(handle) {}
  }

  @Test("a report is awaited indefinitely until a stop is requested, then for at most 5 s")
  func patienceWithReport() {
    let isStopping = Mutex(false)
    let patience = EndPatience.ofReports(isStopping: { isStopping.withLock { $0 } })
    #expect(patience(.seconds(100_000)))
    isStopping.withLock { $0 = true }
    #expect(!patience(.zero))
    let whenStopped = EndPatience.ofReports(isStopping: { true })
    #expect(whenStopped(.seconds(4)) && !whenStopped(.seconds(6)))
  }
}

@Suite("Command: a merge with unread standard error", .waitsForPrograms)
struct UnreadErrorTests {
  @Test("a merge completes even if nothing reads its JSON progress")
  func mergeEnds() throws {
    let merge = try MergeCase()
    let pipe = try UnreadPipe()
    pipe.fill()
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(["--rate-limit", "2M", "--progress", "json"]),
      under: pipe.asStandardError)
    #expect(result.exitStatus == 0)
    #expect(result.standardOutput.contains("Merged"))
    #expect(try merge.wrongSectors() == [])
  }

  @Test("SIGTERM stops a merge whose progress is unread, and the error message is still delivered")
  func firstSignal() throws {
    let merge = try MergeCase()
    let pipe = try UnreadPipe()
    pipe.fill()
    let running = try ThinMergeCommand.start(
      merge.mergeArguments(MergeCase.slowly + ["--progress", "json"]), under: pipe.asStandardError)
    try #require(try running.waitUntilCheckpoint(2, in: merge.journal))
    running.send(SIGTERM)
    // A merge counts as stopped once no process holds a lock on its journal.
    let stopped = try running.waitUntil {
      try merge.status()["state"] == .string("stopped")
    }
    #expect(stopped)
    var text = ""
    _ = try running.waitUntil {
      text += pipe.read()
      return false
    }
    #expect(try running.wait().exitStatus == 3)
    text += pipe.read()
    #expect(text.contains("interrupted"), "\(text)")
  }
}
