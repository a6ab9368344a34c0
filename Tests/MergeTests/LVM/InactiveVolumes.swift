import Foundation
import MergeEngine
import Testing

/// A simulated inactive LVM pool and its origin.
///
/// LVM commands change their devices and metadata.
final class InactiveVolumes: @unchecked Sendable {
  let pool: ActivePool
  private(set) var lvm: SimulatedLVM
  /// The changes requested from LVM, such as `+pool` for activation, `-base` for deactivation, or a
  /// verb and a volume as in `remove vm`.
  private(set) var changes: [String] = []
  /// The results that LVM reports for changes it does not carry out, by change.
  var ends: [String: MergeEngine.Program.End] = [:]
  /// The results that LVM reports for changes it does carry out, by change.
  var endsOnceDone: [String: MergeEngine.Program.End] = [:]
  private var devices: [String: MappedDevice]
  /// The name of a volume that another program activates when `lvs` is run next.
  var activatesWhenListed: String?

  init(_ others: [SimulatedLVM.Volume] = [], otherIDs: [UInt64] = []) throws {
    pool = try ActivePool(otherIDs: otherIDs)
    lvm = SimulatedLVM(others, transactionID: 7)
    lvm.setReadOnly("base", true)
    try pool.become(lvm)
    var thin = try pool.thin("vg-vm")
    thin.uuid = SimulatedLVM.mappedUUID("vm")
    devices = [
      "pool": pool.mapper.mapped[0], "base": pool.mapper.mapped[1], "vm": thin,
    ]
    pool.mapper.mapped = []
    pool.activatesVolumes = true
    pool.runProgram = { [unowned self] words in
      if let name = activatesWhenListed, words.first == "lvs", !isActive(name) { activate(name) }
      return lvm.run(words)
    }
    pool.runChange = { [unowned self] in change($0) }
  }

  func activate(_ name: String) {
    if let device = devices[name] { pool.mapper.mapped.append(device) }
  }

  /// Makes a volume appear opened by another program from its next activation onward.
  func open(_ name: String) {
    devices[name]?.uuid = SimulatedLVM.mappedUUID(name)
    devices[name]?.openCount = 1
  }

  /// Makes deactivation leave only an internal layer of the volume, which another active volume
  /// uses.
  func useLayer(of name: String) {
    for index in pool.mapper.mapped.indices
    where pool.mapper.mapped[index].uuid == devices[name]?.uuid {
      pool.mapper.mapped[index].openCount = 1
    }
    ends["-\(name)"] = .succeeded(output: "")
  }

  func isActive(_ name: String) -> Bool {
    pool.mapper.mapped.contains { $0.uuid == devices[name]?.uuid }
  }

  /// Edits the simulated LVM metadata.
  func edit(_ change: (inout SimulatedLVM) -> Void) { change(&lvm) }

  private func change(_ words: [String]) -> MergeEngine.Program.End {
    guard let change = lvm.change(words) else { return .failed(words: "") }
    changes.append(change.text)
    if let end = ends[change.text] { return end }
    switch change {
    case .activate(let name): if !isActive(name) { activate(name) }
    case .deactivate(let name): pool.mapper.mapped.removeAll { $0.uuid == devices[name]?.uuid }
    case .remove(let name): lvm.volumes.removeAll { $0.name == name }
    case .makeWritable(let name): lvm.setReadOnly(name, false)
    case .rename(let name, let new):
      lvm.rename(name, to: new)
      renameDevice(name, to: new)
    }
    return endsOnceDone[change.text] ?? .succeeded(output: "")
  }

  /// Renames a volume's device-mapper device, whether or not the volume is active.
  private func renameDevice(_ name: String, to new: String) {
    guard var device = devices.removeValue(forKey: name) else { return }
    device.name = "vg-\(new)" + device.name.dropFirst("vg-\(name)".count)
    devices[new] = device
    for index in pool.mapper.mapped.indices
    where pool.mapper.mapped[index].uuid == device.uuid {
      pool.mapper.mapped[index].name = device.name
    }
  }

  /// Merges `vg/vm` the way the command does.
  ///
  /// - `adjust`: sets additional merge options.
  func merge(
    agrees: Bool = true, _ adjust: (inout MergeOptions) -> Void = { _ in }
  ) -> ActivePool.Outcome {
    var options = MergeOptions()
    adjust(&options)
    return pool.run(agrees: agrees) { [pool, options] merger throws(MergeError) in
      let found = try merger.resolve(.device("vg/vm"))
      let report = try merger.merge(found.source, onto: pool.origin.path, options: options)
      if case .stopped(let error) = report.state { throw error }
      if case .stopped(let error) = report.handover { throw error }
    }
  }

  /// Returns the names of the files that record which volumes were activated.
  func recorded() throws -> [String] {
    let folder = pool.state + "/volumes"
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".json") }.sorted()
  }

  /// Activates a volume the way a run does, and leaves it active as if the run were then killed.
  func activateAndDie(_ name: String) throws {
    var environment = Environment(stateFolder: pool.state)
    environment.runChange = pool.runChange
    environment.bootID = pool.bootID
    try environment.makeActivatedVolumes().use(SimulatedLVM.known(name)) {
      () throws(MergeError) in !pool.mapper.mapped.isEmpty
    }
  }
}
