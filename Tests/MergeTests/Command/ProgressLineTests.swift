import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: progress")
struct ProgressLineTests {
  private static let gibibyte: UInt64 = 1 << 30

  @Test("a bar never exceeds the width")
  func width() {
    let amounts: [UInt64] = [0, 1, 1023, 999 << 20, Self.gibibyte, 5 << 40, .max / 3]
    let phases: [MergeProgress.Phase] = [.planning, .merging, .rechecking]
    for phase in phases {
      for total in amounts {
        for done in [0, total / 3, total] {
          let line = Self.line(phase, done: done, of: total, after: .seconds(100))
          for columnCount in 0...200 {
            let text = line.bar(columnCount: columnCount)
            #expect(text.count <= columnCount, "\(columnCount): \(text)")
            #expect(columnCount < 4 || text.contains("%"), "\(columnCount): \(text)")
          }
        }
      }
    }
  }

  @Test("a bar leaves out what matters least")
  func narrower() {
    let line = Self.line(.merging, done: Self.gibibyte, of: 4 * Self.gibibyte, after: .seconds(8))
    #expect(
      line.bar(columnCount: 200)
        == "merging  25% [##########------------------------------]  "
        + "1 GiB of 4 GiB  128 MiB/s  128 MiB/s avg  ETA 0:24")
    #expect(
      line.bar(columnCount: 70)
        == "merging  25% [####-------------]  1 GiB of 4 GiB  128 MiB/s  ETA 0:24")
    #expect(
      line.bar(columnCount: 60) == "merging  25% [###------------]  128 MiB/s  ETA 0:24")
    #expect(line.bar(columnCount: 45) == "merging  25% [##---------]  ETA 0:24")
    #expect(line.bar(columnCount: 30) == "merging  25%  ETA 0:24")
    #expect(line.bar(columnCount: 10) == " 25%")
  }

  @Test("a line for logs is a sentence")
  func sentence() {
    let line = Self.line(.merging, done: Self.gibibyte, of: 4 * Self.gibibyte, after: .seconds(8))
    #expect(
      line.sentence
        == "merging: 1 GiB of 4 GiB (25%), 128 MiB/s now, 128 MiB/s on average, ETA 0:24")
    #expect(
      line.detailedSentence
        == line.sentence + ", 1 read and 2 writes in flight, last checkpoint 2.5 s ago")
  }

  @Test("the average leaves out what earlier runs did")
  func average() {
    var progress = Self.progress(
      .merging, done: 3 * Self.gibibyte, of: 4 * Self.gibibyte, after: .seconds(10))
    progress.earlierByteCount = 2 * Self.gibibyte
    #expect(Pace.average(progress) == Double(Self.gibibyte) / 10)
  }

  @Test("the current rate follows the last seconds")
  func current() {
    var pace = Pace()
    var progress = Self.progress(.merging, done: 0, of: 1000 << 20, after: .zero)
    for tenth in 0...400 {
      // Ten seconds at 10 MiB/s, then thirty at 1 MiB/s.
      progress.elapsed = .milliseconds(100 * tenth)
      progress.doneByteCount = UInt64(tenth <= 100 ? tenth * 10 : 1000 + (tenth - 100)) << 20 / 10
      pace.record(progress)
    }
    let current = pace.current(progress) ?? 0
    #expect(abs(current - Double(1 << 20)) < Double(1 << 14))
  }

  @Test("nothing is divided by nothing")
  func nothing() {
    let line = Self.line(.verifying, done: 0, of: 0, after: .zero)
    #expect(line.bar(columnCount: 60).hasPrefix("verifying 100%"))
    let begun = ProgressLine(
      progress: Self.progress(.merging, done: 0, of: 10, after: .zero), pace: Pace())
    #expect(begun.bar(columnCount: 60).hasSuffix("ETA --:--"))
  }

  @Test("a display shows lines every five seconds and at the end")
  func lines() {
    let screen = Screen()
    let display = screen.display(.lines)
    for second in 0...12 {
      display.progress(
        Self.progress(.merging, done: UInt64(second) << 20, of: 12 << 20, after: .seconds(second)))
    }
    display.finish()
    #expect(
      screen.text == """
        thin-merge: merging: 5 MiB of 12 MiB (41%), 1 MiB/s now, 1 MiB/s on average, ETA 0:07
        thin-merge: merging: 10 MiB of 12 MiB (83%), 1 MiB/s now, 1 MiB/s on average, ETA 0:02
        thin-merge: merging: 12 MiB of 12 MiB (100%), 1 MiB/s now, 1 MiB/s on average

        """)
  }

  @Test("a note takes the bar away, and the end leaves a fresh line")
  func bar() {
    let screen = Screen()
    let display = screen.display(.bar)
    display.progress(Self.progress(.planning, done: 1, of: 2, after: .zero))
    display.note("something")
    display.progress(Self.progress(.merging, done: 2, of: 2, after: .zero))
    display.finish()
    let end = "\u{1B}[K"
    #expect(
      screen.text
        == "\rplanning  50% [#####-----]  ETA --:--\(end)\r\(end)thin-merge: note: something\n"
        + "\rmerging 100% [##########]  ETA 0:00\(end)\n")
  }

  @Test("progress for programs is one object a line")
  func json() {
    let screen = Screen()
    let display = screen.display(.json, format: .json)
    display.progress(Self.progress(.merging, done: 0, of: 8, after: .zero))
    display.progress(Self.progress(.merging, done: 4, of: 8, after: .seconds(2)))
    display.finish()
    let inFlight = #""reads_in_flight":1,"seconds_since_checkpoint":2.5"#
    let end = #""total_bytes":8,"type":"progress","writes_in_flight":2}"#
    let first =
      #"{"average_bytes_per_second":null,"bytes_per_second":null,"done_bytes":0,"#
      + #""earlier_bytes":0,"elapsed_seconds":0,"eta_seconds":null,"phase":"merging","#
    let second =
      #"{"average_bytes_per_second":2,"bytes_per_second":2,"done_bytes":4,"#
      + #""earlier_bytes":0,"elapsed_seconds":2,"eta_seconds":2,"phase":"merging","#
    #expect(screen.text == "\(first)\(inFlight),\(end)\n\(second)\(inFlight),\(end)\n")
  }

  @Test("SIGUSR1 is answered with one line, also where nothing else is shown")
  func status() {
    let screen = Screen()
    let display = screen.display(.nothing)
    display.progress(Self.progress(.merging, done: 1, of: 2, after: .zero))
    screen.wantStatus()
    display.progress(Self.progress(.merging, done: 1, of: 2, after: .milliseconds(10)))
    display.progress(Self.progress(.merging, done: 2, of: 2, after: .milliseconds(20)))
    display.finish()
    #expect(
      screen.text == "thin-merge: merging: 1 bytes of 2 bytes (50%), ETA --:--, 1 read and "
        + "2 writes in flight, last checkpoint 2.5 s ago\n")
  }

  @Test("a request to stop is acknowledged once")
  func stopping() {
    let screen = Screen()
    let display = screen.display(.nothing)
    screen.stop()
    for done: UInt64 in 0...3 {
      display.progress(
        Self.progress(.merging, done: done, of: 3, after: .seconds(Int64(done))))
    }
    #expect(
      screen.text
        == "thin-merge: note: stopping in good order; another signal ends the process at once\n")
  }

  private static func progress(
    _ phase: MergeProgress.Phase, done: UInt64, of total: UInt64, after elapsed: Duration
  ) -> MergeProgress {
    MergeProgress(
      phase: phase, doneByteCount: done, totalByteCount: total, earlierByteCount: 0,
      elapsed: elapsed, readsInFlight: 1, writesInFlight: 2,
      sinceCheckpoint: .milliseconds(2500))
  }

  private static func line(
    _ phase: MergeProgress.Phase, done: UInt64, of total: UInt64, after elapsed: Duration
  ) -> ProgressLine {
    var pace = Pace()
    pace.record(progress(phase, done: 0, of: total, after: .zero))
    return ProgressLine(
      progress: progress(phase, done: done, of: total, after: elapsed), pace: pace)
  }
}

/// Standard error in memory, 40 columns wide.
private final class Screen: Sendable {
  private let lines = Mutex("")
  private let statusWanted = Atomic(false)
  private let stopping = Atomic(false)

  var text: String { lines.withLock { $0 } }

  func wantStatus() { statusWanted.store(true, ordering: .relaxed) }

  func stop() { stopping.store(true, ordering: .relaxed) }

  func display(_ style: ProgressDisplay.Style, format: OutputFormat = .text) -> ProgressDisplay {
    ProgressDisplay(
      style: style,
      messages: Messages(format: format) { [self] text in lines.withLock { $0 += text } },
      columnCount: { 40 },
      requests: ProgressDisplay.Requests(
        takeStatus: { [self] in statusWanted.exchange(false, ordering: .relaxed) },
        isStopping: { [self] in stopping.load(ordering: .relaxed) }))
  }
}
