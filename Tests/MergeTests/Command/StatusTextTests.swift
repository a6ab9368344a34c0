import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: status text")
struct StatusTextTests {
  @Test("the status of a merge that never ran reports that nothing was written")
  func statusWithoutRun() {
    var status = SampleReport.status
    status.runCount = 0
    status.doneByteCount = 0
    let text = StatusText(report: status).text
    #expect(text.hasPrefix("Merge of thin device 7 into base.img: not started\n"))
    #expect(
      text.contains("Nothing was written to the origin. To start the merge:\n  thin-merge resume"))
    #expect(!text.contains("may be partially merged"))
  }

  @Test("the status shows a speed only for a merge that has been writing for at least 2 s")
  func statusOfShortMerge() {
    var status = SampleReport.status
    for (seconds, hasSpeed) in [(0, false), (1, false), (2, true)] as [(Int64, Bool)] {
      status.writingSeconds = seconds
      let text = StatusText(report: status).text
      #expect(text.contains("of writing") == hasSpeed)
      #expect(text.contains("at the average speed") == hasSpeed)
    }
  }

  @Test("the status of a stopped merge shows progress, speed, remaining time and the next command")
  func statusText() {
    #expect(
      StatusText(report: SampleReport.status).text == """
        Merge of thin device 7 into base.img: unfinished

          done         3 GiB of 4 GiB, 75%
          left         1 GiB, 10 s at the average speed
          speed        102.4 MiB/s over 30 s of writing
          runs         2, the first at 1970-01-01T00:00:00Z
          last record  1970-01-02T00:01:01Z
          from         data
          journal      /base.img.thin-merge

        The origin may be partially merged; keep the thin device. To resume:
          thin-merge resume /base.img.thin-merge
        If that is refused because the thin device was written to since, start over: add --restart to \
        the original merge command.

        """)
  }

  @Test("the status of a merge of LVM volumes includes the complete restart command")
  func restartOfVolumes() {
    var report = SampleReport.status
    report.thinDeviceName = "vg/vm1"
    report.originName = "vg/base"
    #expect(
      StatusText(report: report).text.hasSuffix(
        """
        If that is refused because the thin device was written to since, start over:
          thin-merge merge vg/vm1 --origin vg/base --restart

        """))
  }

  @Test("the status of a running merge says that no action is needed")
  func runningText() {
    var report = SampleReport.status
    report.state = .running
    let text = StatusText(report: report).text
    #expect(text.hasPrefix("Merge of thin device 7 into base.img: running\n"))
    #expect(text.contains("Nothing to do. SIGUSR1 makes the merge print its progress"))
    #expect(!text.contains("thin-merge resume"))
    #expect(JSONText.line(StatusDocument(report)).contains(#""state":"running""#))
  }

  @Test(
    "a finished merge's status shows the time, and never says the thin device is unneeded")
  func finishedText() {
    var report = SampleReport.status
    report.doneByteCount = report.totalByteCount
    report.finishedSeconds = 86_461
    for (state, words) in [
      (.finished, "finished at 1970-01-02T00:01:01Z"),
      (.verified, "finished at 1970-01-02T00:01:01Z, read back and verified"),
    ] as [(StatusReport.State, String)] {
      report.state = state
      let text = StatusText(report: report).text
      #expect(text.hasPrefix("Merge of thin device 7 into base.img: \(words)\n"))
      #expect(!text.contains("needed"))
    }
  }

  @Test("the status of a finished merge of LVM volumes names the --finish command")
  func finishedVolumesText() {
    var report = SampleReport.status
    report.originName = "vg/base"
    report.thinDeviceName = "vg/vm1"
    for state in [StatusReport.State.finished, .verified] {
      report.state = state
      let text = StatusText(report: report).text
      #expect(text.contains("remove vg/vm1 and make vg/base an ordinary volume:\n"), "\(text)")
      #expect(text.contains("  thin-merge resume --finish /base.img.thin-merge\n"), "\(text)")
    }
  }

  @Test("a date outside the years 1970 to 9999 is shown as a plain number")
  func dates() {
    #expect(StatusText.date(.max) == "9223372036854775807")
    #expect(StatusText.date(-1) == "-1")
    #expect(StatusText.date(253_402_300_799) == "9999-12-31T23:59:59Z")
  }
}
