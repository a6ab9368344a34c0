import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: what is said about --finish")
struct FinishTextTests {
  static let handover = VolumeHandover(
    groupName: "vg", thinName: "vm1", originName: "base", groupUUID: "G", thinUUID: "T",
    originUUID: "O", takesName: true, staysActive: false)

  private static var finishedPlan: PlanReport {
    var plan = SampleReport.plan
    plan.isFinished = true
    plan.handover = handover
    return plan
  }

  private static let steps =
    "everything is compared, vg/vm1 is removed, and vg/base made an ordinary volume, which is "
    + "renamed to vg/vm1"

  @Test("the plan of a finished merge says that its command removes the volume")
  func planOfFinished() {
    var plan = PlanText(
      report: Self.finishedPlan, source: SampleReport.reported, originPath: "vg/base",
      mergeCommand: .merge(["vg/vm1", "--finish", "--rename"]))
    #expect(
      plan.text.hasPrefix(
        "The merge of thin device 7 onto vg/base is finished, but not yet in LVM.\n"))
    #expect(
      plan.text.hasSuffix(
        """
        Nothing was written to the origin. By this command \(Self.steps); with --again, what differs is written first:
          thin-merge merge vg/vm1 --finish --rename

        """))
    #expect(!plan.text.contains("writes nothing"))
    plan.report.isMergedAgain = true
    #expect(
      plan.text.contains("again and what differs is written; then \(Self.steps):\n"))
  }
}
