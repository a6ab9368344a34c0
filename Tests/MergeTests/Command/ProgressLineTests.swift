import Synchronization
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: progress lines")
struct ProgressLineTests {
  @Test("a progress line for logs reads as a sentence")
  func sentence() {
    let line = ProgressSample.line(
      .merging, done: ProgressSample.gibibyte, of: 4 * ProgressSample.gibibyte, after: .seconds(8))
    #expect(
      line.sentence
        == "merging: 1 GiB of 4 GiB (25%), 128 MiB/s now, 128 MiB/s on average, ETA 0:24")
    #expect(
      line.detailedSentence
        == line.sentence + ", 1 read and 2 writes in flight, last checkpoint 2.5 s ago")
  }

  @Test("a progress line shows no speed while planning, and no writes while verifying")
  func planning() {
    let line = ProgressSample.line(.planning, done: 1 << 30, of: 4 << 30, after: .seconds(8))
    #expect(line.sentence == "planning: 1 GiB of 4 GiB (25%), ETA 0:24")
    #expect(line.detailedSentence == line.sentence)
    let comparing = ProgressSample.line(.verifying, done: 1 << 30, of: 4 << 30, after: .seconds(8))
    #expect(comparing.detailedSentence == comparing.sentence + ", 1 read in flight")
  }

  @Test("the progress line of a salvaging phase shows the unreadable bytes")
  func salvage() {
    var line = ProgressSample.line(.merging, done: 1 << 30, of: 4 << 30, after: .seconds(8))
    line.progress.isSalvaging = true
    line.progress.unreadableByteCount = 512
    #expect(line.sentence.hasPrefix("salvaging: 1 GiB of 4 GiB (25%), 512 bytes unreadable, "))
    let json = JSONText.line(ProgressDocument(line))
    #expect(json.contains(#""phase":"merging""#))
    #expect(json.contains(#""salvaging":true"#) && json.contains(#""unreadable_bytes":512"#))
  }

  @Test("a completed phase shows an average speed, even if it took only 10 ms")
  func fast() {
    let done = ProgressSample.progress(
      .merging, done: 1 << 20, of: 1 << 20, after: .milliseconds(10))
    #expect(RateEstimator.average(done) == Double(100 << 20))
    var before = done
    before.totalByteCount += 1
    #expect(RateEstimator.average(before) == nil)
  }

  @Test("the average speed excludes bytes done by earlier runs")
  func average() {
    var progress = ProgressSample.progress(
      .merging, done: 3 * ProgressSample.gibibyte, of: 4 * ProgressSample.gibibyte,
      after: .seconds(10))
    progress.earlierByteCount = 2 * ProgressSample.gibibyte
    #expect(RateEstimator.average(progress) == Double(ProgressSample.gibibyte) / 10)
  }

  @Test("the current speed reflects the last few seconds")
  func current() {
    var pace = RateEstimator()
    var progress = ProgressSample.progress(.merging, done: 0, of: 1000 << 20, after: .zero)
    for tenth in 0...400 {
      // Ten seconds at 10 MiB/s, then thirty at 1 MiB/s.
      progress.elapsed = .milliseconds(100 * tenth)
      progress.doneByteCount = UInt64(tenth <= 100 ? tenth * 10 : 1000 + (tenth - 100)) << 20 / 10
      pace.record(progress)
    }
    let current = pace.current(progress) ?? 0
    #expect(abs(current - Double(1 << 20)) < Double(1 << 14))
  }

  @Test("the progress line of a phase with no bytes or no elapsed time shows no speed")
  func nothing() {
    let line = ProgressSample.line(.verifying, done: 0, of: 0, after: .zero)
    #expect(line.sentence == "verifying: 0 bytes of 0 bytes (100%)")
    let soon = ProgressSample.line(.verifying, done: 0, of: 0, after: .milliseconds(10))
    #expect(soon.sentence == line.sentence)
    let begun = ProgressLine(
      progress: ProgressSample.progress(.merging, done: 0, of: 10, after: .zero),
      pace: RateEstimator())
    #expect(begun.sentence == "merging: 0 bytes of 10 bytes (0%), ETA --:--")
  }

  @Test("progress lines are printed every five seconds and at the end")
  func lines() {
    let screen = Screen()
    let display = screen.display(.lines)
    for second in 0...12 {
      display.progress(
        ProgressSample.progress(
          .merging, done: UInt64(second) << 20, of: 12 << 20, after: .seconds(second)))
    }
    display.finish()
    #expect(
      screen.text == """
        thin-merge: merging: 5 MiB of 12 MiB (41%), 1 MiB/s now, 1 MiB/s on average, ETA 0:07, \
        1 read and 2 writes in flight, last checkpoint 2.5 s ago
        thin-merge: merging: 10 MiB of 12 MiB (83%), 1 MiB/s now, 1 MiB/s on average, ETA 0:02, \
        1 read and 2 writes in flight, last checkpoint 2.5 s ago
        thin-merge: merging: 12 MiB of 12 MiB (100%), 1 MiB/s now, 1 MiB/s on average

        """)
  }

  @Test("JSON progress is printed as one object per line")
  func json() {
    let screen = Screen()
    let display = screen.display(.json, format: .json)
    display.progress(ProgressSample.progress(.merging, done: 0, of: 8, after: .zero))
    display.progress(ProgressSample.progress(.merging, done: 4, of: 8, after: .seconds(2)))
    display.finish()
    let inFlight = #""reads_in_flight":1,"salvaging":false,"seconds_since_checkpoint":2.5"#
    let end =
      #""time":"1970-01-01T00:00:00Z","total_bytes":8,"type":"progress","unreadable_bytes":0,"#
      + #""version":"0.1.0","writes_in_flight":2}"#
    let first =
      #"{"average_bytes_per_second":null,"bytes_per_second":null,"done_bytes":0,"#
      + #""earlier_bytes":0,"elapsed_seconds":0,"eta_seconds":null,"phase":"merging","#
    let second =
      #"{"average_bytes_per_second":2,"bytes_per_second":2,"done_bytes":4,"#
      + #""earlier_bytes":0,"elapsed_seconds":2,"eta_seconds":2,"phase":"merging","#
    #expect(screen.text == "\(first)\(inFlight),\(end)\n\(second)\(inFlight),\(end)\n")
  }

  @Test("SIGUSR1 prints one progress line, even if progress is turned off")
  func status() {
    let screen = Screen()
    let display = screen.display(.nothing)
    display.progress(ProgressSample.progress(.merging, done: 1, of: 2, after: .zero))
    screen.wantStatus()
    display.progress(ProgressSample.progress(.merging, done: 1, of: 2, after: .milliseconds(10)))
    display.progress(ProgressSample.progress(.merging, done: 2, of: 2, after: .milliseconds(20)))
    display.finish()
    #expect(
      screen.text == "thin-merge: merging: 1 bytes of 2 bytes (50%), ETA --:--, 1 read and "
        + "2 writes in flight, last checkpoint 2.5 s ago\n")
  }

  @Test("a stop request is acknowledged exactly once")
  func stopping() {
    let screen = Screen()
    let display = screen.display(.nothing)
    screen.stop()
    for done: UInt64 in 0...3 {
      display.progress(
        ProgressSample.progress(.merging, done: done, of: 3, after: .seconds(Int64(done))))
    }
    #expect(
      screen.text
        == "thin-merge: note: stopping after the transfers in flight; a second Ctrl-C does not wait for "
        + "them, a third kills the process\n")
  }
}

/// A stand-in for standard error that keeps the output in memory.
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
      messages: Messages(format: format, secondsSince1970: 0) { [self] text, _ in
        lines.withLock { $0 += text }
      },
      glyphs: .ascii, columnCount: { 40 },
      requests: ProgressDisplay.Requests(
        takeStatus: { [self] in statusWanted.exchange(false, ordering: .relaxed) },
        isStopping: { [self] in stopping.load(ordering: .relaxed) }, isNotDraining: { false },
        barIsShown: { _ in }))
  }
}
