import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: failures and exit statuses")
struct ExitStatusTests {
  @Test("a failure is printed as a sentence with hints, or as one JSON object")
  func failure() {
    let failure = Failure(stopping: SampleReport.stop, journalPath: "a b")
    #expect(
      Self.lines(.text) { $0.failure(failure) } == """
        thin-merge: error: could not write, base.img: Input/output error at byte 4096
        hint: look at the kernel's log
        hint: resume the merge:
          thin-merge resume 'a b'

        """)
    #expect(
      Self.lines(.json) { $0.failure(failure) }
        == #"{"code":"cannot-write-origin","exit_status":3,"hint":"look at the kernel's log\nresume the merge:\n  thin-merge resume 'a b'","#
        + #""message":"could not write, base.img: Input/output error at byte 4096","#
        + #""time":"1970-01-01T00:00:00Z","type":"error","version":"\#(ThinMerge.versionNumber)"}"#
        + "\n")
    #expect(Self.lines(.text) { $0.note(Note(code: "c", text: "n")) } == "thin-merge: note: n\n")
    #expect(
      Self.lines(.json) { $0.note(Note(code: "c", text: "n")) }
        == #"{"code":"c","message":"n","time":"1970-01-01T00:00:00Z","type":"note","#
        + #""version":"\#(ThinMerge.versionNumber)"}"# + "\n")
  }

  @Test(
    "every kind of failure maps to the expected exit status",
    arguments: [
      (.refused, 2), (.stopped, 3), (.journalConflict, 4), (.busy, 5), (.bug, 70),
    ] as [(MergeError.Kind, Int32)])
  func exitStatus(kind: MergeError.Kind, status: Int32) {
    let error = MergeError(.interrupted, kind, "what", at: "where", because: "why")
    #expect(Failure(error).exitStatus.rawValue == status)
    var report = SampleReport.merge
    report.state = .stopped(error)
    #expect(ExitStatus(report).rawValue == (kind == .bug ? 70 : 3))
    #expect(Failure(stopping: error, journalPath: "j").exitStatus == ExitStatus(report))
  }

  @Test("every comparison result maps to the expected exit status")
  func verifyStatus() {
    var report = SampleReport.verification
    #expect(ExitStatus(report) == .done)
    report.unreadable = [ByteRange(start: 0, end: 1)]
    #expect(ExitStatus(report) == .stopped)
    report.unreadable = []
    report.incomplete = SampleReport.stop
    #expect(ExitStatus(report) == .stopped)
    report.differingByteCount = 1
    #expect(ExitStatus(report) == .different)
    var merge = SampleReport.merge
    #expect(ExitStatus(merge) == .done)
    merge.verification = report
    #expect(ExitStatus(merge) == .different)
  }

  private static func lines(_ format: OutputFormat, _ body: (Messages) -> Void) -> String {
    let screen = Lines()
    body(
      Messages(format: format, secondsSince1970: 0) { text, _ in
        screen.text.withLock { $0 += text }
      })
    return screen.text.withLock { $0 }
  }
}

private final class Lines: Sendable {
  let text = Mutex("")
}
