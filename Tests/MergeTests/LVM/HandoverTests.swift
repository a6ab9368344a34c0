import Fixtures
import Foundation
import MergeEngine
import Testing

@Suite(
  "LVM: handing over, so that the origin replaces the merged thin volume", .needsLoopDevices,
  .waitsForPrograms)
struct HandoverTests {
  private typealias Volume = SimulatedLVM.Volume

  private static func handOver(
    _ volumes: InactiveVolumes, takesName: Bool = false, agrees: Bool = true
  ) -> ActivePool.Outcome {
    volumes.merge(agrees: agrees) {
      $0.handsOver = true
      $0.takesName = takesName
    }
  }

  private static func status(_ volumes: InactiveVolumes) throws -> StatusReport {
    let path = try #require(try volumes.pool.journalPath())
    return try Merger(environment: Environment(stateFolder: volumes.pool.state))
      .status(journalPath: path)
  }

  @Test("a handover removes the thin volume and makes the origin writable")
  func finished() throws {
    let volumes = try InactiveVolumes()
    let outcome = Self.handOver(volumes)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.changes.filter { $0.contains(" ") } == ["remove vm", "writable base"])
    #expect(volumes.lvm.volumes.map(\.name) == ["pool", "base"])
    #expect(try Self.status(volumes).isHandedOver)
    #expect(volumes.pool.mapper.mapped.isEmpty)
    #expect(try volumes.pool.isMerged())
  }

  @Test("a handover renames the origin to the thin volume's name if requested")
  func renamed() throws {
    let volumes = try InactiveVolumes()
    #expect(Self.handOver(volumes, takesName: true).exitStatus == 0)
    #expect(
      volumes.changes.filter { $0.contains(" ") }
        == ["remove vm", "writable base", "rename base vm"])
    #expect(volumes.lvm.volumes.map(\.name) == ["pool", "vm"])
  }

  @Test("after a handover renames the origin, the note about deactivating it uses the new name")
  func renamedNotes() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path, takesName: true)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(outcome.notes.contains("deactivated vg/vm"), "\(outcome.notes)")
    #expect(!outcome.notes.contains("deactivated vg/base"), "\(outcome.notes)")
  }

  @Test("after a handover, the origin stays active if the thin volume was active")
  func active() throws {
    let volumes = try InactiveVolumes()
    for name in ["pool", "base", "vm"] { volumes.activate(name) }
    let outcome = Self.handOver(volumes)
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(!volumes.isActive("vm"))
    #expect(volumes.isActive("base"))
  }

  @Test("if the origin stays active after a handover, no note says that it will be deactivated")
  func activeNotes() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    for name in ["pool", "vm"] { volumes.activate(name) }
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.isActive("base"))
    #expect(
      outcome.notes.filter { $0.contains("active") || $0.contains("activated") }
        == ["activated vg/base", "vg/base stays active, as the thin volume was"])
  }

  @Test(
    "an interrupted handover resumes at the first step that was not completed",
    arguments: ["remove vm", "writable base", "rename base vm"], [false, true])
  func cutOff(step: String, isDone: Bool) throws {
    let volumes = try InactiveVolumes()
    if isDone {
      volumes.endsOnceDone[step] = .noAnswer
    } else {
      volumes.ends[step] = .noAnswer
    }
    let outcome = Self.handOver(volumes, takesName: true)
    #expect(outcome.exitStatus == (isDone ? 0 : 3), "\(outcome.message)")
    let path = try #require(try volumes.pool.journalPath())
    #expect(try Self.status(volumes).isHandedOver == isDone)
    volumes.ends = [:]
    let later = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(later.exitStatus == 0, "\(later.message)")
    #expect(volumes.lvm.volumes.map(\.name) == ["pool", "vm"])
    #expect(volumes.lvm.volumes.last?.isReadOnly == false)
    #expect(try Self.status(volumes).isHandedOver)
  }

  @Test("if a handover is refused, an active thin volume stays active")
  func putBack() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    try volumes.pool.overwriteOrigin()
    for name in ["pool", "base", "vm"] { volumes.activate(name) }
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.error?.code == .volumeNotAllMerged, "\(outcome.message)")
    #expect(volumes.isActive("vm"))
    #expect(try Self.status(volumes).handover == nil)
  }

  @Test(
    "a handover killed during its comparison has recorded in the journal that the volume was active"
  )
  func killedWhileComparing() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    for name in ["pool", "base", "vm"] { volumes.activate(name) }
    volumes.pool.whenVerifying = { [unowned volumes] in
      let handover = try? Self.status(volumes).handover
      #expect(handover?.thinFullName == "vg/vm")
      // Keeps a copy of the journal, since its content is all that the next run would know.
      try? FileManager.default.copyItem(atPath: path, toPath: path + ".killed")
    }
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.isActive("base"))
    let killed = try JournalOnDisk.state(of: path + ".killed").handover
    #expect(killed?.staysActive == true)
  }

  @Test("a handover does not remove a thin volume that was activated after the comparison")
  func activatedMeanwhile() throws {
    let volumes = try InactiveVolumes()
    volumes.pool.whenVerifying = { [unowned volumes] in volumes.activatesWhenListed = "vm" }
    let outcome = Self.handOver(volumes)
    #expect(outcome.exitStatus != 0)
    #expect(!volumes.changes.contains("remove vm"))
    #expect(volumes.isActive("vm"))
  }

  @Test("a handover succeeds even if other devices are created during the comparison")
  func busySystem() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    volumes.pool.whenVerifying = { [mapper = volumes.pool.mapper] in
      let device = mapper.mapped.removeLast()
      mapper.mapped.append(device)
    }
    let path = try #require(try volumes.pool.journalPath())
    let outcome = volumes.pool.run { merger throws(MergeError) in
      _ = try merger.handOver(journalPath: path)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.changes.contains("remove vm"))
  }

  @Test(
    "a thin volume that is written during the comparison is detected by a snapshot and kept")
  func tracedWrites() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let mapper = volumes.pool.mapper
    volumes.pool.whenVerifying = {
      #expect(mapper.thinDevices.count == 2)
      #expect(throws: Never.self) { try mapper.writeBySomebodyElse(ThinMapping(12, 50), to: 5) }
    }
    let path = try #require(try volumes.pool.journalPath())
    let outcome = volumes.pool.run { merger throws(MergeError) in
      _ = try merger.handOver(journalPath: path)
    }
    #expect(outcome.error?.code == .volumeNotAllMerged, "\(outcome.message)")
    #expect(!volumes.changes.contains("remove vm"))
    #expect(mapper.thinDevices.map(\.devID) == [5])
  }

  @Test("a later handover can rename the origin after an earlier one removed the thin volume")
  func renamedLater() throws {
    let volumes = try InactiveVolumes()
    #expect(Self.handOver(volumes).exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path, takesName: true)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.lvm.volumes.map(\.name) == ["pool", "vm"])
  }

  @Test(
    "if LVM turns a handed-over volume into a thin volume again, the old handover does not apply")
  func secondCycle() throws {
    let volumes = try InactiveVolumes()
    #expect(Self.handOver(volumes, takesName: true).exitStatus == 0)
    // lvconvert gives the new thin volume the name and UUID of the volume that it converts.
    volumes.edit {
      $0.volumes = [
        $0.volumes[0], Volume(name: "base2"),
        Volume(name: "vm", pool: "pool", origin: "base2", thinID: "6", uuidName: "base"),
      ]
    }
    let outcome = volumes.pool.run { merger throws(MergeError) in
      #expect(try merger.handoverJournalPath(named: "vg/vm") == nil)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
  }

  @Test("planning a handover changes neither LVM nor the journal")
  func planned() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    let changes = volumes.changes
    let before = try content(of: path)
    let outcome = volumes.pool.run { merger throws(MergeError) in
      let planned = try merger.plannedHandover(journalPath: path, takesName: true)
      #expect(planned.handover.finalFullName == "vg/vm" && planned.thinVolumeIsThere)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.changes == changes)
    #expect(try content(of: path) == before)
  }

  @Test(
    "the plan for an interrupted handover shows the volume as removed and the rename as requested")
  func plannedRest() throws {
    let volumes = try InactiveVolumes()
    volumes.ends["writable base"] = .noAnswer
    #expect(Self.handOver(volumes).exitStatus == 3)
    let path = try #require(try volumes.pool.journalPath())
    let outcome = volumes.pool.run { merger throws(MergeError) in
      let planned = try merger.plannedHandover(journalPath: path, takesName: true)
      #expect(planned.handover.takesName && !planned.thinVolumeIsThere)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
  }

  @Test(
    "repeating a finished merge asks for approval of the handover, even if the volume is open",
    arguments: [false, true])
  func askedAgain(isOpen: Bool) throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    if isOpen { volumes.open("vm") }
    for name in ["pool", "base", "vm"] { volumes.activate(name) }
    _ = Self.handOver(volumes, takesName: true)
    let asked = try #require(volumes.pool.planAskedOf)
    #expect(asked.isFinished && asked.handover?.thinFullName == "vg/vm")
    #expect(asked.handover?.takesName == true)
  }

  @Test("declining the handover after a finished merge leaves the LVM volumes unchanged")
  func notAgreed() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let names = volumes.lvm.volumes.map(\.name)
    let outcome = Self.handOver(volumes, agrees: false)
    #expect(outcome.error?.code == .notApproved && outcome.exitStatus == 2)
    #expect(outcome.message.hasPrefix("not finished in LVM, vg/base: "), "\(outcome.message)")
    #expect(volumes.lvm.volumes.map(\.name) == names)
  }

  @Test(
    "while the thin volume is open, a dry run of resume or merge refuses the handover")
  func rehearsedInUse() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    volumes.open("vm")
    for name in ["pool", "base", "vm"] { volumes.activate(name) }
    let resumed = volumes.pool.run { merger throws(MergeError) in
      _ = try merger.rehearsedHandover(journalPath: path, takesName: true)
    }
    #expect(resumed.error?.code == .volumeStaysActive && resumed.exitStatus == 5)
    let merged = volumes.pool.run { [pool = volumes.pool] merger throws(MergeError) in
      let found = try merger.resolve(.device("vg/vm"))
      let plan = try merger.plan(
        found.source, onto: pool.origin.path, options: MergeOptions(handsOver: true))
      if let refusal = plan.refusal { throw refusal }
    }
    #expect(merged.error?.code == .volumeStaysActive, "\(merged.message)")
  }

  @Test("a handover is recorded in the journal before its first step is carried out")
  func recordedFirst() throws {
    let volumes = try InactiveVolumes()
    volumes.ends["remove vm"] = .failed(words: "Volume group vg is busy")
    let outcome = Self.handOver(volumes)
    #expect(outcome.error?.code == .handoverStepFailed && outcome.exitStatus == 3)
    #expect(outcome.message.contains("LVM says: Volume group vg is busy"))
    let handover = try #require(try Self.status(volumes).handover)
    #expect(handover.thinFullName == "vg/vm" && handover.originFullName == "vg/base")
  }

  @Test(
    "a merge with handover is refused if another volume uses the origin or the thin volume",
    arguments: [
      Volume(name: "snap", origin: "base"), Volume(name: "snap", origin: "vm"),
      Volume(name: "vm2", pool: "pool2", origin: "base", thinID: "1"),
    ])
  private func others(volume: Volume) throws {
    let volumes = try InactiveVolumes([volume, Volume(name: "pool2", transactionID: "1")])
    let outcome = volumes.merge {
      $0.handsOver = true
      $0.pool.allowsOtherUsers = true
    }
    #expect(outcome.exitStatus == 2)
    #expect(
      outcome.message.hasSuffix(
        outcome.error?.code == .volumesOnOrigin
          ? ": vg/\(volume.name) is \(volume.origin == "base" ? "also " : "")on vg/\(volume.origin)"
          : "vg/\(volume.name)"),
      "\(outcome.message)")
    #expect(try volumes.pool.isUntouched())
  }

  @Test("a merge with handover is refused if the thin volume is larger than its origin")
  func larger() throws {
    let volumes = try InactiveVolumes()
    volumes.edit { $0.volumes[2].byteCount += 1 << 20 }
    let outcome = Self.handOver(volumes)
    #expect(outcome.error?.code == .originShorterThanVolume && outcome.exitStatus == 2)
    #expect(try volumes.pool.isUntouched())
  }

  @Test("a handover does not remove the thin volume if the origin was modified after the merge")
  func originChanged() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    try volumes.pool.overwriteOrigin()
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.error?.code == .volumeNotAllMerged && outcome.exitStatus == 2)
    #expect(!volumes.changes.contains("remove vm"))
    #expect(try Self.status(volumes).handover == nil)
  }

  @Test("if the thin volume is in use, a handover keeps it and leaves the origin read-only")
  func inUse() throws {
    let volumes = try InactiveVolumes()
    #expect(volumes.merge().exitStatus == 0)
    let path = try #require(try volumes.pool.journalPath())
    for name in ["pool", "base", "vm"] { volumes.activate(name) }
    volumes.ends["-vm"] = .failed(words: "Logical volume vg/vm in use")
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.error?.code == .volumeStaysActive && outcome.exitStatus == 5)
    #expect(!volumes.changes.contains { $0.contains(" ") })
  }

  @Test("a handover removes the thin volume by UUID, even if another volume now has the name")
  func nameGivenAway() throws {
    let volumes = try InactiveVolumes()
    volumes.ends["remove vm"] = .noAnswer
    #expect(Self.handOver(volumes).exitStatus == 3)
    let path = try #require(try volumes.pool.journalPath())
    volumes.ends = [:]
    volumes.edit {
      $0.rename("vm", to: "vm-old")
      $0.volumes.append(Volume(name: "vm", uuidName: "another"))
    }
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.lvm.volumes.map(\.name) == ["pool", "base", "vm"])
  }

  @Test("a handover does not rename the origin if another volume already has the new name")
  func nameTaken() throws {
    let volumes = try InactiveVolumes()
    volumes.ends["rename base vm"] = .noAnswer
    #expect(Self.handOver(volumes, takesName: true).exitStatus == 3)
    volumes.ends = [:]
    volumes.edit { $0.volumes.append(Volume(name: "vm", uuidName: "another")) }
    let path = try #require(try volumes.pool.journalPath())
    let outcome = volumes.pool.run { merger throws(MergeError) in
      try merger.handOver(journalPath: path)
    }
    #expect(outcome.error?.code == .volumeNotAsRecorded && outcome.exitStatus == 2)
    #expect(volumes.lvm.volumes.map(\.name) == ["pool", "base", "vm"])
  }
}
