import Foundation
import MergeEngine
import Testing

@testable import thin_merge

@Suite(
  "LVM: volumes that are activated only for the duration of a run", .needsLoopDevices,
  .waitsForPrograms)
struct ActivatedVolumesTests {
  @Test("a pool counts as active only if its own device exists on top of the pool's internal layer")
  func poolActive() {
    let pool = SimulatedLVM.known("pool")
    func device(_ layer: String, minor: UInt32, openCount: Int) -> MappedDevice {
      var device = MappedDevice(
        name: "vg-pool" + layer, uuid: SimulatedLVM.mappedUUID("pool", layer: layer),
        number: DeviceNumber(major: 253, minor: minor),
        liveTable: [
          TableLine(sectorCount: 8, kind: "thin-pool", arguments: "253:1 253:2 128 0")
        ])
      device.openCount = openCount
      return device
    }
    let layer = device("-tpool", minor: 3, openCount: 1)
    let own = device("-pool", minor: 4, openCount: 0)
    #expect(MappedDevices([layer, own]).active(pool)?.openCount == 0)
    #expect(MappedDevices([layer]).active(pool) == nil)
  }

  @Test(
    "a merge activates the pool, then the origin, and deactivates them in reverse order at the end")
  func merged() throws {
    let volumes = try InactiveVolumes()
    let outcome = volumes.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try volumes.pool.isMerged())
    #expect(volumes.changes == ["+pool", "+base", "-base", "-pool"])
    #expect(outcome.notes.contains("activated vg/pool"))
    #expect(outcome.notes.contains("deactivated vg/base"))
    #expect(
      outcome.notes.contains { $0.contains(", a snapshot of vg/vm; ") }, "\(outcome.notes)")
    #expect(try volumes.recorded() == [])
  }

  @Test("a merge leaves volumes active if they were already active when it started")
  func activeBefore() throws {
    let volumes = try InactiveVolumes()
    volumes.activate("pool")
    #expect(volumes.merge().exitStatus == 0)
    #expect(volumes.changes == ["+base", "-base"])
  }

  @Test("a volume is recorded as activated before LVM is told to activate it")
  func recordedBefore() throws {
    let volumes = try InactiveVolumes()
    volumes.ends["+pool"] = .failed(words: "Volume group vg is busy")
    let outcome = volumes.merge()
    #expect(outcome.error?.code == .volumeNotActivated && outcome.exitStatus == 2)
    #expect(outcome.message.contains("vg/pool: LVM says: Volume group vg is busy"))
    #expect(volumes.changes == ["+pool", "-pool"])
    #expect(try volumes.pool.isUntouched())
    #expect(try volumes.recorded() == [])
  }

  @Test("if an active data volume keeps LVM from activating the pool, the hint names that volume")
  func hiddenVolumeActive() throws {
    let volumes = try InactiveVolumes()
    volumes.pool.mapper.mapped = [
      MappedDevice(
        name: "vg-pool_tdata", uuid: SimulatedLVM.mappedUUID("data", layer: "-tdata"),
        number: DeviceNumber(major: 253, minor: 309),
        liveTable: [TableLine(sectorCount: 8, kind: "linear", arguments: "7:0 0")])
    ]
    volumes.ends["+pool"] = .failed(words: "Activation of vg/pool is prohibited")
    let outcome = volumes.merge()
    #expect(
      outcome.error?.hint?.hasSuffix(
        "volumes with:\n  lvchange -an vg/pool_tdata\nthen run the same command again") == true)
  }

  @Test(
    "a volume that a killed run activated is deactivated by the next merge that uses the volume")
  func killed() throws {
    let volumes = try InactiveVolumes()
    try volumes.activateAndDie("pool")
    #expect(try volumes.recorded().count == 1)
    #expect(volumes.merge().exitStatus == 0)
    #expect(volumes.changes == ["+pool", "+base", "-base", "-pool"])
    #expect(try volumes.recorded() == [])
  }

  @Test("the settle verb lists and deactivates a volume that a killed run left active")
  func settled() throws {
    let volumes = try InactiveVolumes()
    try volumes.activateAndDie("base")
    var listed = Leftovers(pools: [])
    var settled = listed
    let outcome = volumes.pool.run { merger throws(MergeError) in
      listed = try merger.leftovers()
      settled = try merger.settle()
    }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(listed.volumes.map(\.name) == ["vg/base"])
    #expect(listed.volumes.map(\.isInUse) == [false])
    #expect(settled.volumes.map(\.isUndone) == [true])
    #expect(volumes.pool.mapper.mapped.isEmpty)
    let text = SettleText(left: listed, isList: true, poolName: nil).text
    #expect(text.contains("Volume vg/base: activated by an earlier run"), "\(text)")
  }

  @Test("the settle verb does not touch a volume that a killed run activated before a reboot")
  func rebooted() throws {
    let volumes = try InactiveVolumes()
    try volumes.activateAndDie("base")
    volumes.pool.bootID = "another"
    let outcome = volumes.pool.run { merger throws(MergeError) in _ = try merger.settle() }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.changes == ["+base"])
    #expect(try volumes.recorded() == [])
  }

  @Test("a volume that two runs use is deactivated by the last run to finish with it")
  func shared() throws {
    let volumes = try InactiveVolumes()
    var environment = Environment(stateFolder: volumes.pool.state)
    environment.runChange = volumes.pool.runChange
    environment.bootID = volumes.pool.bootID
    let other = environment.makeActivatedVolumes()
    try other.use(SimulatedLVM.known("pool")) { () throws(MergeError) in
      !volumes.pool.mapper.mapped.isEmpty
    }
    #expect(volumes.merge().exitStatus == 0)
    #expect(volumes.changes == ["+pool", "+base", "-base"])
    other.end()
    #expect(volumes.changes.last == "-pool")
  }

  @Test("a volume that another program opened stays active, and the merge still succeeds")
  func opened() throws {
    let volumes = try InactiveVolumes()
    volumes.open("base")
    volumes.ends["-base"] = .failed(words: "Logical volume vg/base is used by another device.")
    let outcome = volumes.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(outcome.notes.contains("vg/base stays active because it is open"))
    #expect(try volumes.recorded() == [])
  }

  @Test(
    "a volume counts as inactive if only an internal layer that another volume uses remains",
    arguments: ["base", "pool"])
  func layerLeft(name: String) throws {
    let volumes = try InactiveVolumes()
    try volumes.activateAndDie(name)
    volumes.useLayer(of: name)
    let settled = volumes.pool.run { merger throws(MergeError) in _ = try merger.settle() }
    #expect(settled.exitStatus == 0, "\(settled.message)")
    #expect(volumes.changes == ["+\(name)", "-\(name)"])
    #expect(settled.notes == [], "\(settled.notes)")
    #expect(try volumes.recorded() == [])
  }

  @Test(
    "an error about a volume that is not thin states the volume's role in LVM, even if inactive",
    arguments: [
      ("base", "it is the external origin of vg/vm, vg/other"), ("pool", "it is a thin pool"),
    ])
  func noThinVolume(name: String, role: String) throws {
    let volumes = try InactiveVolumes([
      SimulatedLVM.Volume(name: "other", pool: "pool", origin: "base", thinID: "6")
    ])
    for _ in 0..<2 {
      let outcome = volumes.pool.run { merger throws(MergeError) in
        _ = try merger.resolve(.device("vg/\(name)"))
      }
      #expect(
        outcome.message.hasSuffix("thin device, vg/\(name): \(role)"), "\(outcome.message)")
      volumes.open(name)
      volumes.activate(name)
      volumes.pool.mapper.mapped[0].name = "vg-\(name)"
    }
  }

  @Test(
    "if LVM fails to deactivate a volume, a note gives the command, and the next run retries it")
  func notDeactivated() throws {
    let volumes = try InactiveVolumes()
    volumes.ends["-base"] = .failed(words: "Volume group vg is busy")
    let outcome = volumes.merge()
    #expect(
      outcome.notes.contains(
        "could not deactivate vg/base: LVM says: Volume group vg is busy; "
          + "deactivate it with: lvchange -an vg/base"), "\(outcome.notes)")
    #expect(try volumes.recorded().count == 1)
    volumes.ends = [:]
    let settled = volumes.pool.run { merger throws(MergeError) in _ = try merger.settle() }
    #expect(settled.exitStatus == 0, "\(settled.message)")
    #expect(try volumes.recorded() == [], "\(settled.notes) \(volumes.changes)")
  }
}
