import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: reports as text")
struct TextReportTests {
  private static func text(
    _ report: MergeReport, source reported: ReportedSource = SampleReport.reported,
    state: ThinDeviceState = .asMerged
  ) -> String {
    var report = report
    report.thinDevice = state
    return MergeText(
      report: report, source: reported, originPath: "base.img",
      verifyCommand: .verify(
        .devices(SampleReport.source), originPath: "base.img", extent: ExtentOptions()),
      againCommand: .merge(["vg/vm1", "--again"])
    ).text
  }

  private static func text(
    _ report: VerifyReport, journalPath: String? = nil, state: ThinDeviceState = .asMerged,
    leavesOut: Bool = false, isMerged: Bool = true
  ) -> String {
    var report = report
    report.thinDevice = state
    return VerifyText(
      report: report, source: SampleReport.reported, originPath: "base.img",
      journalPath: journalPath, leavesOut: leavesOut, isMerged: isMerged,
      repairCommand: .resume(journalPath: "j")
    ).text
  }

  private static let isNotNeeded = ReportText.whatIsLeft(in: .asMerged, leavesOut: false)
  private static let isNeededForTheRest = ReportText.whatIsLeft(in: .asMerged, leavesOut: true)

  @Test("a plan shows the bytes to write, their layout and the merge command")
  func planText() {
    let text = PlanText(
      report: SampleReport.plan, source: SampleReport.reported, originPath: "base.img",
      mergeCommand: .merge(
        .devices(SampleReport.source), originPath: "base.img", extent: ExtentOptions(), again: false
      )
    ).text
    #expect(
      text == """
        Plan: merge thin device 7 into base.img

          to merge       6.3 MiB, 100 mapped blocks of 64 KiB in 3 runs
          thin size      1 GiB, assumed
          origin size    1 GiB
          from           data.img
          other devices  1 thin device in this pool
          journal        /base.img.thin-merge, up to 12 KiB

        Where the blocks are on the origin, 512 MiB per cell (. none, # all):

             0 bytes  -.

        Run lengths (each row up to the next) and bytes:

               2 MiB  3 runs  6.3 MiB  #########################################

        Nothing was written to the origin. To merge:
          thin-merge merge --metadata '/dev/pool meta' --data data.img --dev-id 7 --origin base.img

        """)
  }

  @Test("the confirmation prompt includes a short plan")
  func question() {
    var plan = SampleReport.plan
    plan.pastEndBlockCount = 2
    plan.clippedByteCount = 512
    #expect(
      Confirmation(source: SampleReport.reported, originPath: "/dev/x").question(plan) == """
        About to merge thin device 7 into /dev/x.

          to merge       6.3 MiB, 98 of 100 mapped blocks of 64 KiB in 3 runs
          thin size      1 GiB, assumed
          origin size    1 GiB
          past the end   2 mapped blocks skipped
          clipped        512 bytes of the block that crosses the end
          from           data.img
          other devices  1 thin device in this pool
          journal        /base.img.thin-merge, up to 12 KiB

        Write 6.3 MiB to /dev/x? [y/N] \("")
        """)
  }

  @Test("the report of an empty merge says so, and does not suggest comparing")
  func mergeOfNothing() {
    var report = SampleReport.merge
    report.writtenByteCount = 0
    report.plan.byteCount = 0
    report.plan.pastEndBlockCount = 100
    var text = Self.text(report)
    #expect(
      text.hasPrefix("Nothing was merged: thin device 7 has no block that begins before the end.\n")
    )
    #expect(!text.contains("until you have verified the origin"))
    #expect(text.contains(Self.isNeededForTheRest))
    report.plan.pastEndBlockCount = 0
    report.plan.mappedBlockCount = 0
    text = Self.text(report)
    #expect(text.hasPrefix("Nothing was merged: thin device 7 has no block of its own.\n"))
    // A repair may have lost the thin device's mappings.
    #expect(!text.contains(Self.isNotNeeded))
  }

  @Test("the plan and confirmation prompt of a finished merge describe it as finished")
  func finishedBefore() {
    var plan = SampleReport.plan
    plan.recordedByteCount = plan.byteCount
    plan.comparedByteCount = plan.byteCount
    plan.isFinished = true
    let text = PlanText(
      report: plan, source: SampleReport.reported, originPath: "base.img",
      mergeCommand: .merge(
        .devices(SampleReport.source), originPath: "base.img", extent: ExtentOptions(), again: false
      )
    ).text
    #expect(
      text.hasSuffix(
        """
        Nothing was written to the origin. To compare everything and write what differs, add --again. This command \
        compares the source and the origin with what was merged, and writes nothing:
          thin-merge merge --metadata '/dev/pool meta' --data data.img --dev-id 7 --origin base.img

        """))
    #expect(
      text.hasPrefix(
        """
        Plan: thin device 7 is already merged into base.img; nothing would be written

          merged         6.3 MiB, 100 mapped blocks of 64 KiB in 3 runs

        """))
    #expect(!text.contains("to merge"))
    let question = Confirmation(source: SampleReport.reported, originPath: "/dev/x").question(plan)
    #expect(
      question.hasSuffix(
        "\nThis merge is finished. Compare everything again and write what differs to /dev/x? [y/N] "
      ))
    plan.isMergedAgain = true
    let again = Confirmation(
      source: SampleReport.reported, originPath: "/dev/x", rewriting: .again
    ).question(plan)
    #expect(again.contains("\n  to compare "))
    plan.isFinished = false
    plan.isMergedAgain = false
    plan.recordedByteCount = 0
    let anew = Confirmation(
      source: SampleReport.reported, originPath: "/dev/x", rewriting: .restart
    ).question(plan)
    #expect(
      anew.hasSuffix(
        "\nThis merge is finished. Write all 6.3 MiB again to /dev/x? [y/N] "))
  }

  @Test("the report of a finished merge shows its figures and the verify command")
  func mergeText() {
    #expect(
      Self.text(SampleReport.merge) == """
        Merged thin device 7 into base.img.

          merged         6.3 MiB, 100 mapped blocks of 64 KiB in 3 runs
          from           data.img
          other devices  1 thin device in this pool
          written        6.3 MiB in 2.5 s, 2.5 MiB/s

        Keep the thin device until you have verified the origin:
          thin-merge verify --metadata '/dev/pool meta' --data data.img --dev-id 7 --origin base.img
        If you reserved the metadata snapshot for this merge, release it:
          dmsetup message POOL 0 release_metadata_snap

        """)
  }

  @Test("the report of a verified merge states whether the thin device is still needed")
  func nextAfterReadingBack() {
    var report = SampleReport.merge
    report.verification = SampleReport.verification
    report.plan.isOwnMetadataSnapshot = true
    #expect(Self.text(report).hasSuffix("\n\n\(Self.isNotNeeded)\n"))
    for state in [ThinDeviceState.open, .writtenSince, .unknown] {
      #expect(Self.text(report, state: state).contains("\n\nKeep the thin device: "))
    }
    var leftOut = report
    leftOut.plan.pastEndBlockCount = 1
    #expect(Self.text(leftOut).hasSuffix("\n\n\(Self.isNeededForTheRest)\n"))
    var clipped = report
    clipped.plan.clippedByteCount = 1
    #expect(Self.text(clipped).hasSuffix("\n\n\(Self.isNeededForTheRest)\n"))
    report.plan.isOwnMetadataSnapshot = false
    #expect(
      Self.text(report).contains("\(Self.isNotNeeded)\nIf you reserved the metadata snapshot"))
    report.verification?.differingByteCount = 512
    for sentence in [Self.isNotNeeded, Self.isNeededForTheRest] {
      #expect(!Self.text(report).contains(sentence))
      #expect(!Self.text(SampleReport.merge).contains(sentence))
    }
  }

  @Test("the report of a merge of a named thin device shows its name and snapshot")
  func named() {
    var report = SampleReport.merge
    report.plan.snapshotID = 16_777_215
    var named = SampleReport.reported
    named.name = "vg/vm1"
    let text = Self.text(report, source: named)
    #expect(text.hasPrefix("Merged thin device vg/vm1 (dev 7) into base.img.\n"))
    #expect(
      text.contains("  snapshot       dev 16777215, taken of the thin device for this merge\n"))
  }

  @Test("the report of a stopped merge shows its progress and the unreadable ranges")
  func stoppedText() {
    var report = SampleReport.merge
    report.state = .stopped(SampleReport.stop)
    report.plan.otherDeviceCount = 0
    report.plan.thinByteCountIsAssumed = false
    report.resumedFromByteCount = 1 << 20
    report.recheckedByteCount = 1 << 20
    report.rewrittenByteCount = 65536
    report.submitDuration = .milliseconds(500)
    report.unreadable = [
      ByteRange(start: 512, end: 1024), ByteRange(start: 65536, end: 65537),
    ]
    #expect(
      Self.text(report) == """
        Merge of thin device 7 into base.img: stopped, can be resumed

          to merge      6.3 MiB, 100 mapped blocks of 64 KiB in 3 runs
          from          data.img
          written       6.3 MiB in 2.5 s, 2.5 MiB/s
          earlier runs  recorded 1 MiB
          rechecked     1 MiB of that: 64 KiB differed and were rewritten
          unreadable    513 bytes in 2 ranges:
                        offset   512, 512 bytes
                        offset 65536, 1 byte

        The origin may be partially merged. Keep the thin device.

        """)
  }

  @Test("the report of a stopped merge lists what it left behind in the pool")
  func cleanupFailureText() {
    var report = SampleReport.merge
    report.state = .stopped(SampleReport.stop)
    report.cleanupFailures = [
      MergeNote(.notUndone, "dev 7 was deleted, and the metadata snapshot is the only copy")
    ]
    #expect(
      Self.text(report).hasSuffix(
        """
        The origin may be partially merged. Keep the thin device.
        Not undone: dev 7 was deleted, and the metadata snapshot is the only copy.

        """))
  }

  @Test("a plan shows why the merge would be refused, followed by the suggested commands")
  func refusedPlan() {
    let text = PlanText(
      report: SampleReport.plan, source: SampleReport.reported,
      refusal: Failure(
        .noOrigin, .refused, message: "no origin, vg/vm1: its external origin is not active",
        hints: ["activate it".above("lvchange -ay vg/base")])
    ).text
    #expect(
      text.hasSuffix(
        """
        Nothing was written to the origin. A merge would be refused:
          no origin, vg/vm1: its external origin is not active
          hint: activate it:
            lvchange -ay vg/base

        """))
  }

  @Test(
    "the verify report shows the differences and whether the thin device is still needed")
  func verifyText() {
    #expect(
      Self.text(SampleReport.verification) == """
        base.img matches thin device 7.

          from      data.img
          compared  6.3 MiB in 1 s, 6.3 MiB/s

        \(Self.isNotNeeded)

        """)
    #expect(
      Self.text(SampleReport.verification, leavesOut: true)
        .hasSuffix("\n\n\(Self.isNeededForTheRest)\n"))
    #expect(
      Self.text(SampleReport.verification, journalPath: "j") == """
        base.img matches the checksums in j.

          merged    thin device 7 from data.img
          compared  6.3 MiB in 1 s, 6.3 MiB/s

        The thin device was not read. Before you remove it, compare it with the origin:
          thin-merge verify --metadata '/dev/pool meta' --data data.img --dev-id 7 --origin base.img

        """)
    var unfinished = SampleReport.verification
    unfinished.unfinishedMerge = SampleReport.status
    #expect(
      Self.text(unfinished).hasSuffix(
        """
        Keep the thin device. A merge into this origin is unfinished. To resume it:
          thin-merge resume /base.img.thin-merge

        """))
    var different = SampleReport.verification
    different.differingByteCount = 1024
    different.differences = [ByteRange(start: 4096, end: 5120)]
    #expect(
      Self.text(different) == """
        base.img differs from thin device 7.

          from       data.img
          compared   6.3 MiB in 1 s, 6.3 MiB/s
          differing  1 KiB in 1 range:
                     offset 4096, 1024 bytes

        Keep the thin device. To compare again and write what differs:
          thin-merge resume j

        """)
    #expect(
      Self.text(different, isMerged: false).hasSuffix(
        """
        Keep the thin device. No journal records a merge of it into this origin. To merge it:
          thin-merge resume j

        """))
    different.otherMerge = SampleReport.status
    #expect(
      Self.text(different).contains(
        "Keep the thin device. The last merge into this origin was of "))
    #expect(Self.text(different).hasSuffix(":\n  thin-merge status /base.img.thin-merge\n"))
    for sentence in [Self.isNotNeeded, Self.isNeededForTheRest] {
      #expect(!Self.text(different).contains(sentence))
    }
  }

  @Test("a merge's report warns if the thin device is gone, or was written to after the snapshot")
  func writtenSince() {
    var merged = SampleReport.merge
    merged.plan.isWrittenSinceSnapshot = true
    let text = Self.text(merged, state: .writtenSince)
    #expect(text.contains("  not merged     writes to the thin device after the snapshot\n"))
    #expect(text.contains("\n\nKeep the thin device: it was written to after"))
    #expect(text.contains("\nTo compare the origin with the merged data:\n"))
    #expect(!text.contains("--restart"))
    #expect(!text.contains("until you have verified the origin"))
    #expect(
      text.contains(
        "\nTo merge the thin device with the later writes:\n  thin-merge merge vg/vm1 --again\n"))
    var compared = SampleReport.merge
    compared.verification = SampleReport.verification
    #expect(
      Self.text(compared, state: .writtenSince)
        .contains(
          "\nTo merge the thin device with the later writes:\n  thin-merge merge vg/vm1 --again\n"))
    let gone = Self.text(SampleReport.merge, state: .gone)
    #expect(gone.contains("\n\nThe thin device no longer exists.\nTo compare the origin"))
    #expect(!gone.contains("Keep the thin device"))
  }

  @Test("the devices report is printed as a table")
  func devicesText() {
    let devices = [
      ThinDevice(
        deviceID: 0, mappedBlockCount: 123_456_789_012_345, transactionID: 1, creationTime: 0,
        snapshottedTime: 3),
      ThinDevice(
        deviceID: 16_777_215, mappedBlockCount: 0, transactionID: 12, creationTime: 3,
        snapshottedTime: 3),
    ]
    #expect(
      DevicesText(devices: devices).text == """
          dev id    mapped blocks  transaction  created  snapshotted
               0  123456789012345            1        0            3
        16777215                0           12        3            3

        """)
    #expect(DevicesText(devices: []).text == "This pool has no thin devices.\n")
  }

  @Test("a word is quoted if the shell would split or expand it")
  func quoting() {
    #expect(
      "/dev/mapper/a-b_c.1+2:3,4@5%6=7".shellQuoted == "/dev/mapper/a-b_c.1+2:3,4@5%6=7")
    #expect("".shellQuoted == "''")
    #expect("a b".shellQuoted == "'a b'")
    #expect("it's $x".shellQuoted == #"'it'\''s $x'"#)
    #expect("é".shellQuoted == "'é'")
    #expect(
      ShellCommand.verify(
        .devices(
          MergeSource(
            metadataPath: "m", dataPath: "d", deviceID: 1, mappings: .metadataSnapshot(block: 4),
            ignoresNeedsCheck: true)),
        originPath: "o", extent: ExtentOptions(thinByteCount: 512, pastEnd: .clip)
      ).text
        == "thin-merge verify --metadata m --data d --dev-id 1 --metadata-snap 4 "
        + "--ignore-needs-check --origin o --thin-size 512 --past-end clip")
  }

  @Test("times, rates and percentages are rounded for readability")
  func amounts() {
    #expect(Amount.time(.milliseconds(-5)) == "0 ms")
    #expect(Amount.time(.milliseconds(42)) == "42 ms")
    #expect(Amount.time(.milliseconds(1000)) == "1 s")
    #expect(Amount.time(.milliseconds(99_900)) == "99.9 s")
    #expect(Amount.time(.seconds(185)) == "3 min 5 s")
    #expect(Amount.time(.seconds(7500)) == "2 h 5 min")
    #expect(Amount.rate(0, in: .seconds(1)) == nil)
    #expect(Amount.rate(1, in: .zero) == nil)
    #expect(Amount.whole(.infinity) == .max)
    #expect(Amount.whole(-1) == 0)
    #expect(Amount.percent(999, of: 1000) == 99)
    #expect(Amount.percent(.max, of: .max) == 100)
    #expect(Amount.percent(.max - 1, of: .max) == 99)
  }
}
