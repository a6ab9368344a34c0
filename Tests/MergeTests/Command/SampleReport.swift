@testable import MergeEngine
@testable import thin_merge

/// A report of each kind, of the same merge.
enum SampleReport {
  static let source = MergeSource(
    metadataPath: "/dev/pool meta", dataPath: "data.img", deviceID: 7)

  static let reported = ReportedSource(
    deviceID: 7, metadataPath: source.metadataPath, dataPath: source.dataPath)

  static let plan = PlanReport(
    deviceID: 7, blockByteCount: 65536, mappedBlockCount: 100, runCount: 3, byteCount: 6_553_600,
    pastEndBlockCount: 0, clippedByteCount: 0, thinByteCount: 1 << 30,
    thinByteCountIsAssumed: true, originByteCount: 1 << 30, grownOriginByteCount: nil,
    journalByteCountMax: 12288, journalPath: "/base.img.thin-merge",
    fingerprint: "0123456789abcdef-01234567", transactionID: 5, heldRoot: 42, otherDeviceCount: 1,
    layout: MappingLayout(
      runLengths: [
        MappingLayout.RunLength(byteCountMin: 2 << 20, runCount: 3, byteCount: 6_553_600)
      ],
      endByteOffset: 1 << 30, cellByteCount: 1 << 29, cells: [6_553_600, 0]))

  static let stop = MergeError(
    .cannotWriteOrigin, .stopped, "could not write", at: "base.img",
    because: "Input/output error at byte 4096",
    hint: "look at the kernel's log")

  static var merge: MergeReport {
    MergeReport(
      plan: plan, state: .finished, writtenByteCount: 6_553_600, resumedFromByteCount: 0,
      recheckedByteCount: 0, rewrittenByteCount: 0, duration: .milliseconds(2500),
      submitDuration: .milliseconds(20), checkpointCount: 2, verification: nil,
      journalPath: "base.img.thin-merge", unreadable: [])
  }

  static var verification: VerifyReport {
    VerifyReport(
      granularity: .sector, comparedByteCount: 6_553_600, differingByteCount: 0, differences: [],
      unreadable: [], duration: .seconds(1), incomplete: nil)
  }

  static var status: StatusReport {
    StatusReport(
      state: .stopped, doneByteCount: 3 << 30, totalByteCount: 4 << 30,
      writingSeconds: 30, runCount: 2, begunSeconds: 0, recordedSeconds: 86_461,
      metadataPath: "meta", dataPath: "data", originPath: "base.img", deviceID: 7, unreadable: [],
      journalPath: "/base.img.thin-merge")
  }
}
