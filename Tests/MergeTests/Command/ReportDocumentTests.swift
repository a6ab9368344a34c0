import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: reports as JSON")
struct ReportDocumentTests {
  private static let absolute = ReportedSource(
    name: "vg/vm1", deviceID: 7, metadataPath: "/dev/meta", dataPath: "/data.img")

  private static func json(_ report: MergeReport) -> String {
    JSONText.line(MergeDocument(report, source: absolute, originPath: "/base.img"))
  }

  @Test("the JSON of a plan has stable field names")
  func planJSON() {
    #expect(
      JSONText.line(PlanDocument(SampleReport.plan, source: Self.absolute, originPath: "/base.img"))
        == #"{"again":false,"block_size":65536,"bytes":6553600,"clipped_bytes":0,"compared_bytes":0,"#
        + #""data":"/data.img","dev_id":7,"#
        + #""fingerprint":"0123456789abcdef-01234567","finished":false,"grown_origin_bytes":null,"#
        + #""journal":"/base.img.thin-merge","journal_bytes_max":12288,"makes_snapshot":false,"#
        + #""map":{"cell_bytes":536870912,"mapped_bytes":[6553600,0]},"mapped_blocks":100,"#
        + #""metadata":"/dev/meta","metadata_snapshot":42,"origin":"/base.img","#
        + #""origin_bytes":1073741824,"other_devices":1,"#
        + #""past_end_blocks":0,"planned_handover":null,"put_aside":[],"recorded_bytes":0,"refused":null,"remnants":[],"run_lengths":[{"bytes":6553600,"min_bytes":2097152,"runs":3}],"#
        + #""runs":3,"schema":"thin-merge/plan/1","snapshot_id":null,"#
        + #""thin_bytes":1073741824,"thin_device":"vg/vm1","thin_device_open":false,"thin_size_assumed":true,"transaction_id":5,"#
        + #""write_protected_origin":null}"#
        + "\n")
  }

  @Test("the JSON of a merge includes all field names of its plan")
  func mergeJSON() {
    var report = SampleReport.merge
    report.state = .stopped(SampleReport.stop)
    report.unreadable = [ByteRange(start: 512, end: 1024)]
    let text = Self.json(report)
    #expect(!text.contains("run_lengths") && !text.contains(#""map""#))
    for part in [
      #""origin":"/base.img""#, #""metadata":"/dev/meta""#, #""data":"/data.img""#,
      #""thin_device":"vg/vm1""#, #""block_size":65536"#, #""bytes":6553600"#,
      #""bytes_written":6553600"#,
      #""resumed_from_bytes":0"#, #""seconds":2.5"#, #""verified":false"#,
      #""journal":"base.img.thin-merge""#, #""state":"stopped""#,
      #""unreadable":[{"length":512,"offset":512}]"#, #""schema":"thin-merge/merge/1""#,
      #""stopped_by":{"code":"cannot-write-origin","hint":"look at the kernel's log","#,
      #""message":"could not write, base.img: "#,
    ] {
      #expect(text.contains(part), "\(part)")
    }
    report.state = .finished
    report.unreadable = []
    report.verification = SampleReport.verification
    #expect(Self.json(report).contains(#""verified":true"#))
    report.verification?.differingByteCount = 1
    #expect(Self.json(report).contains(#""verified":false"#))
  }

  @Test("the JSON of verify, status and devices has stable field names")
  func otherJSON() {
    #expect(
      JSONText.line(
        VerifyDocument(
          SampleReport.verification, source: Self.absolute, originPath: "/base.img",
          journalPath: nil))
        == #"{"compared_bytes":6553600,"data":"/data.img","dev_id":7,"differences":[],"#
        + #""differing_bytes":0,"granularity":"sector","incomplete":null,"journal":null,"#
        + #""metadata":"/dev/meta","origin":"/base.img","remnants":[],"schema":"thin-merge/verify/1","#
        + #""seconds":1,"thin_device":"vg/vm1","thin_device_state":null,"unfinished_journal":null,"unreadable":[]}"#
        + "\n")
    #expect(
      JSONText.line(StatusDocument(SampleReport.status))
        == #"{"begun_time":0,"data":"data","dev_id":7,"done_bytes":3221225472,"#
        + #""finished_time":null,"given_up":null,"handover":null,"journal":"/base.img.thin-merge","merge_runs":2,"metadata":"meta","#
        + #""origin":"base.img","recorded_time":86461,"#
        + #""schema":"thin-merge/status/1","state":"stopped","thin_device":null,"total_bytes":4294967296,"#
        + #""unreadable":[],"writing_seconds":30}"# + "\n")
    let device = ThinDevice(
      deviceID: 1, mappedBlockCount: 2, transactionID: 3, creationTime: 4, snapshottedTime: 5)
    #expect(
      JSONText.line(DevicesDocument([device]))
        == #"{"devices":[{"creation_time":4,"dev_id":1,"mapped_blocks":2,"#
        + #""snapshotted_time":5,"transaction_id":3}],"schema":"thin-merge/devices/1"}"# + "\n")
  }
}
