import Foundation
import MergeEngine
import Testing

@testable import thin_merge

@Suite("LVM: volumes that are active only for a run", .needsLoopDevices, .waitsForPrograms)
struct ActivatedVolumesTests {
  /// An inactive pool of LVM and its origin, whose devices come and go as LVM is told.
  private final class Inactive: @unchecked Sendable {
    let pool: ActivePool
    let lvm = SimulatedLVM([], transactionID: 7)
    /// What LVM was told to do.
    private(set) var changes: [String] = []
    /// How it answers where it does not do so.
    var ends: [String: MergeEngine.Program.End] = [:]
    private let devices: [String: MappedDevice]

    init() throws {
      pool = try ActivePool()
      try pool.become(lvm)
      devices = ["pool": pool.mapper.mapped[0], "base": pool.mapper.mapped[1]]
      pool.mapper.mapped = []
      pool.activatesVolumes = true
      pool.runChange = { [unowned self] in change($0) }
    }

    func activate(_ name: String) {
      if let device = devices[name] { pool.mapper.mapped.append(device) }
    }

    private func change(_ words: [String]) -> MergeEngine.Program.End {
      guard let (name, isActive) = lvm.activation(words) else { return .failed(words: "") }
      let change = (isActive ? "+" : "-") + name
      changes.append(change)
      if let end = ends[change] { return end }
      if isActive {
        activate(name)
      } else {
        pool.mapper.mapped.removeAll { $0.uuid == devices[name]?.uuid }
      }
      return .succeeded(output: "")
    }

    /// Merges `vg/vm` as the command does.
    func merge() -> ActivePool.Outcome {
      pool.run { [pool] merger throws(MergeError) in
        let found = try merger.resolve(.device("vg/vm"))
        let report = try merger.merge(found.source, onto: pool.origin.path)
        if case .stopped(let error) = report.state { throw error }
      }
    }

    /// The volumes that are recorded as activated.
    func recorded() throws -> [String] {
      let folder = pool.state + "/volumes"
      guard FileManager.default.fileExists(atPath: folder) else { return [] }
      return try FileManager.default.contentsOfDirectory(atPath: folder)
        .filter { $0.hasSuffix(".json") }.sorted()
    }

    /// What a run does that is killed once it has activated a volume.
    func activateAndDie(_ name: String) throws {
      var environment = Environment(stateFolder: pool.state)
      environment.runChange = pool.runChange
      environment.bootID = pool.bootID
      try environment.makeActivatedVolumes().use(SimulatedLVM.known(name)) {
        () throws(MergeError) in !pool.mapper.mapped.isEmpty
      }
    }
  }

  @Test("a merge activates pool and origin, merges, and deactivates them, the origin first")
  func merged() throws {
    let volumes = try Inactive()
    let outcome = volumes.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(try volumes.pool.isMerged())
    #expect(volumes.changes == ["+pool", "+base", "-base", "-pool"])
    #expect(outcome.notes.contains("activated vg/pool, which is deactivated at the end"))
    #expect(outcome.notes.contains("deactivated vg/base"))
    #expect(try volumes.recorded() == [])
  }

  @Test("what was active before stays active")
  func activeBefore() throws {
    let volumes = try Inactive()
    volumes.activate("pool")
    #expect(volumes.merge().exitStatus == 0)
    #expect(volumes.changes == ["+base", "-base"])
  }

  @Test("a volume is recorded before LVM is told to activate it")
  func recordedBefore() throws {
    let volumes = try Inactive()
    volumes.ends["+pool"] = .failed(words: "Volume group vg is busy")
    let outcome = volumes.merge()
    #expect(outcome.error?.code == .volumeNotActivated && outcome.exitStatus == 2)
    #expect(outcome.message.contains("vg/pool: LVM says: Volume group vg is busy"))
    #expect(volumes.changes == ["+pool", "-pool"])
    #expect(try volumes.pool.isUntouched())
    #expect(try volumes.recorded() == [])
  }

  @Test("a volume that a killed run activated is deactivated by the next merge that uses it")
  func killed() throws {
    let volumes = try Inactive()
    try volumes.activateAndDie("pool")
    #expect(try volumes.recorded().count == 1)
    #expect(volumes.merge().exitStatus == 0)
    #expect(volumes.changes == ["+pool", "+base", "-base", "-pool"])
    #expect(try volumes.recorded() == [])
  }

  @Test("settle lists a volume that a killed run activated, and deactivates it")
  func settled() throws {
    let volumes = try Inactive()
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
    #expect(text.contains("Volume vg/base: an earlier run activated it."), "\(text)")
  }

  @Test("after a reboot a volume that a killed run activated is left as it is")
  func rebooted() throws {
    let volumes = try Inactive()
    try volumes.activateAndDie("base")
    volumes.pool.bootID = "another"
    let outcome = volumes.pool.run { merger throws(MergeError) in _ = try merger.settle() }
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(volumes.changes == ["+base"])
    #expect(try volumes.recorded() == [])
  }

  @Test("a volume that two runs use is deactivated by the later end")
  func shared() throws {
    let volumes = try Inactive()
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

  @Test("a volume that somebody has opened meanwhile stays active, and that is no failure")
  func opened() throws {
    let volumes = try Inactive()
    volumes.ends["-base"] = .failed(words: "Logical volume vg/base in use")
    let outcome = volumes.merge()
    #expect(outcome.exitStatus == 0, "\(outcome.message)")
    #expect(outcome.notes.contains("vg/base stays active: somebody has it open"))
    #expect(try volumes.recorded() == [])
  }

  @Test(
    "a volume that LVM does not deactivate is named with the command, and the next run tries again")
  func notDeactivated() throws {
    let volumes = try Inactive()
    volumes.ends["-base"] = .failed(words: "Volume group vg is busy")
    let outcome = volumes.merge()
    #expect(
      outcome.notes.contains(
        "could not deactivate vg/base: LVM says: Volume group vg is busy; "
          + "it is deactivated by: lvchange -an vg/base"), "\(outcome.notes)")
    #expect(try volumes.recorded().count == 1)
    volumes.ends = [:]
    let settled = volumes.pool.run { merger throws(MergeError) in _ = try merger.settle() }
    #expect(settled.exitStatus == 0, "\(settled.message)")
    #expect(try volumes.recorded() == [], "\(settled.notes) \(volumes.changes)")
  }
}
