import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite("Command: messages about --finish")
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
    "everything is compared, vg/vm1 is removed, and vg/base becomes an ordinary volume, renamed to "
    + "vg/vm1"

  @Test(
    "the plan lists the handover steps of a merge that is finished but not yet handed over in LVM")
  func planOfFinished() {
    var plan = PlanText(
      report: Self.finishedPlan, source: SampleReport.reported, originPath: "vg/base",
      mergeCommand: .merge(["vg/vm1", "--finish", "--rename"]))
    #expect(
      plan.text.hasPrefix(
        "Plan: thin device 7 is already merged into vg/base; the steps in LVM remain\n"))
    #expect(
      plan.text.hasSuffix(
        """
        Nothing was written to the origin. To write what differs first, add --again. With this command, \(Self.steps):
          thin-merge merge vg/vm1 --finish --rename

        """))
    #expect(!plan.text.contains("writes nothing"))
    plan.report.isMergedAgain = true
    #expect(
      plan.text.contains("again and writes what differs; then \(Self.steps):\n"))
  }

  private static let asked =
    "deactivate vg/vm1, compare all of it with vg/base, remove vg/vm1, make vg/base an ordinary "
    + "volume, and rename it to vg/vm1? [y/N] "

  private static func textAsked(
    _ plan: PlanReport, rewriting: thin_merge.Confirmation.Rewriting? = nil
  ) -> String {
    Confirmation(source: SampleReport.reported, originPath: "vg/base", rewriting: rewriting)
      .question(plan)
  }

  @Test("the confirmation prompt of a merge with --finish lists every LVM step")
  func question() {
    var plan = Self.finishedPlan
    #expect(
      Self.textAsked(plan).hasSuffix("\nThis merge is finished. D\(Self.asked.dropFirst())"))
    plan.isMergedAgain = true
    #expect(
      Self.textAsked(plan, rewriting: .again).hasSuffix(
        "\nThis merge is finished. Compare everything again and write what differs to vg/base, "
          + "then \(Self.asked)"))
    #expect(
      Self.textAsked(plan, rewriting: .restart).hasSuffix(
        "Write all 6.3 MiB again to vg/base, then \(Self.asked)"))
    plan.isMergedAgain = false
    plan.isFinished = false
    #expect(
      Self.textAsked(plan).hasSuffix("\nWrite 6.3 MiB to vg/base, then \(Self.asked)"))
    plan.handover?.takesName = false
    #expect(
      Self.textAsked(plan).hasSuffix(
        "compare all of it with vg/base, remove vg/vm1, and make vg/base an ordinary volume? [y/N] "
      ))
  }

  @Test("the confirmation prompt for a handover without a merge lists the remaining steps")
  func questionOfHandover() {
    #expect(
      Finishing.question(PlannedHandover(Self.handover, thinVolumeIsThere: true))
        == "D\(Self.asked.dropFirst())")
    #expect(
      Finishing.question(PlannedHandover(Self.handover, thinVolumeIsThere: false))
        == "Make vg/base an ordinary volume and rename it to vg/vm1? [y/N] ")
    #expect(
      PlanText.willDo(Self.handover, thinVolumeIsThere: false)
        == "vg/base becomes an ordinary volume, renamed to vg/vm1")
  }

  @Test("declining the handover of a finished merge prints one message and exits with status 2")
  func notAgreed() {
    var report = SampleReport.merge
    report.handover = .stopped(.handoverNotApproved("vg/base"))
    let failure = Finishing.notAgreed("vg/base")
    #expect(report.failure() == failure)
    #expect(
      failure.message
        == "not finished in LVM, vg/base: you did not confirm; nothing was changed")
    #expect(ExitStatus(report) == .refused && failure.exitStatus == .refused)
  }

  @Test("the hint to resume a handover includes --rename only if the merge used it")
  func goingOn() {
    var report = SampleReport.merge
    report.handover = .stopped(.volumesOnOrigin("vg/base", "vg/vm1", []))
    #expect(
      report.failure(renames: true)?.hints.last
        == "continue with".above("thin-merge resume --finish --rename base.img.thin-merge"))
    #expect(
      report.failure()?.hints.last
        == "continue with".above("thin-merge resume --finish base.img.thin-merge"))
  }
}
