import Foundation
import MergeEngine
import Testing

@testable import thin_merge

@Suite("Errors: LVM volumes", .waitsForPrograms, .needsLoopDevices)
struct VolumeErrorTests {
  private typealias Volume = SimulatedLVM.Volume

  @Test(
    "every problem with LVM volumes causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = activation + names + handovers

  private static let activation: [ErrorSituation] = [
    merge("LVM does not activate the pool", "volume-not-activated", .refused) {
      $0.ends["+pool"] = .failed(words: "Check of pool vg/pool failed")
    },
    merge("LVM finds no volume to activate", "volume-not-activated", .refused) {
      $0.ends["+base"] = .succeeded(output: "")
    },
    merge("a volume cannot be recorded", "cannot-write-activation-record", .refused) {
      try Program.mustRun("mkdir", "-p", $0.pool.state + "/volumes/turn.lock")
    },
    ErrorSituation("another run activates volumes", "activations-locked", .busy) {
      let volumes = try InactiveVolumes()
      let folder = volumes.pool.state + "/volumes"
      try Program.mustRun("mkdir", "-p", folder)
      try Data().write(to: URL(filePath: folder + "/turn.lock"))
      let holder = try HeldFile.withFileLock(folder + "/turn.lock")
      return withExtendedLifetime(holder) {
        volumes.pool.reported { merger throws(MergeError) in
          _ = try merger.resolve(.device("vg/vm"))
          return nil
        }.naming([(volumes.pool.state, "STATE")])
      }
    },
    merge("LVM caches the origin with a cache volume", "origin-cached-by-volume", .refused) {
      volumes in
      volumes.edit { $0.volumes[1].pool = "[fast_cvol]" }
    },
    merge("the origin has a classic snapshot", "origin-has-snapshots", .refused) { volumes in
      volumes.edit { $0.volumes.append(Volume(name: "snap", origin: "base")) }
    },
  ]

  private static let names: [ErrorSituation] = [
    ErrorSituation("no journal is of a named volume", "no-journal-of", .journalConflict) {
      let volumes = try InactiveVolumes()
      return volumes.pool.reported { merger throws(MergeError) in
        _ = try merger.journalPath(named: "vg/vm")
        return nil
      }
    },
    ErrorSituation("the origin has two journals", "two-journals", .journalConflict) {
      let volumes = try InactiveVolumes()
      #expect(volumes.merge().exitStatus == 0)
      let journal = try #require(try volumes.pool.journalPath())
      let name = try #require(journal.split(separator: "@").last)
      try Program.mustRun("cp", journal, "\(volumes.pool.state)/other@\(name)")
      return volumes.pool.reported { merger throws(MergeError) in
        let found = try merger.resolve(.device("vg/vm"))
        return try merger.merge(found.source, onto: volumes.pool.origin.path).failure()
      }.naming([(String(name.prefix(10)), "ID"), (volumes.pool.state, "STATE")])
    },
  ]

  private static let handovers: [ErrorSituation] = [
    merge(
      "the pool's volumes are not LVM's, and are to be handed over", "no-volumes-to-hand-over",
      .refused, adjust: handOver
    ) { volumes in
      volumes.edit { $0.volumes[0].transactionID = "6" }
    },
    merge(
      "another volume is on the thin volume that is to be handed over", "volumes-on-origin",
      .refused, adjust: handOver
    ) { volumes in
      volumes.edit { $0.volumes.append(Volume(name: "snap", origin: "vm")) }
    },
    merge(
      "the thin volume that is to be handed over is larger than its origin",
      "origin-shorter-than-volume", .refused, adjust: handOver
    ) { volumes in
      volumes.edit { $0.volumes[2].byteCount += 1 << 20 }
    },
    merge(
      "a part of the thin volume that is to be handed over is left out", "volume-not-all-merged",
      .refused,
      adjust: {
        handOver(&$0)
        $0.extent.thinByteCount = 1 << 20
        $0.extent.pastEnd = .clip
      }
    ) { _ in },
    merge(
      "LVM does not remove the thin volume", "handover-step-failed", .stopped, adjust: handOver
    ) {
      $0.ends["remove vm"] = .failed(words: "Volume group vg is busy")
    },
    finished("the thin volume is in use when it is to be removed", "volume-stays-active", .busy) {
      volumes in
      for name in ["pool", "base", "vm"] { volumes.activate(name) }
      volumes.ends["-vm"] = .failed(words: "Logical volume vg/vm in use")
    },
    finished(
      "the origin was written to before the thin volume is removed", "volume-not-all-merged",
      .refused
    ) { try $0.pool.overwriteOrigin() },
    finished("LVM does not know the thin volume any more", "no-volumes-to-hand-over", .refused) {
      $0.edit { $0.volumes.removeAll { $0.name == "vm" } }
    },
    finished("the origin's new name is another volume's", "volume-not-as-recorded", .refused) {
      volumes in
      volumes.ends["rename base vm"] = .noAnswer
      let path = try #require(try volumes.pool.journalPath())
      _ = volumes.pool.run { merger throws(MergeError) in
        try merger.handOver(journalPath: path, takesName: true)
      }
      volumes.edit { $0.volumes.append(Volume(name: "vm", uuidName: "another")) }
    },
  ]

  private static let handOver: @Sendable (inout MergeOptions) -> Void = { $0.handsOver = true }

  /// Returns a situation in which `vg/vm` is merged the way the command merges it.
  private static func merge(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    adjust: @escaping @Sendable (inout MergeOptions) -> Void = { _ in },
    prepare: @escaping @Sendable (InactiveVolumes) throws -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, exitStatus) {
      let volumes = try InactiveVolumes()
      try prepare(volumes)
      return volumes.pool.reported { merger throws(MergeError) in
        var options = MergeOptions()
        let found = try merger.resolve(.device("vg/vm"))
        options.extent.thinByteCount = found.thinByteCount
        adjust(&options)
        return try merger.merge(
          found.source, onto: volumes.pool.origin.path, options: options
        ).failure()
      }.naming([(volumes.pool.state, "STATE")])
    }
  }

  /// Returns a situation in which `vg/vm` is handed over after its merge has finished.
  private static func finished(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    prepare: @escaping @Sendable (InactiveVolumes) throws -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, exitStatus) {
      let volumes = try InactiveVolumes()
      #expect(volumes.merge().exitStatus == 0)
      try prepare(volumes)
      let path = try #require(try volumes.pool.journalPath())
      return volumes.pool.reported { merger throws(MergeError) in
        try merger.handOver(journalPath: path)
        return nil
      }
    }
  }
}
