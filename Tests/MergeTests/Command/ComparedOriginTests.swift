import Foundation
import MergeEngine
import Synchronization
import Testing

@testable import thin_merge

@Suite("Engine: an origin that changes during a comparison")
struct ComparedOriginTests {
  /// The operation that compares the thin device with the origin.
  enum Verb: CaseIterable {
    case verify, verifyByJournal, merge
  }

  /// The change made to the origin during the comparison.
  enum Change: CaseIterable {
    case replaced, removed, truncated
  }

  @Test(
    "an origin that is replaced, removed or truncated during a comparison is not reported as equal",
    arguments: Verb.allCases, Change.allCases)
  func changed(verb: Verb, change: Change) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try Self.finish(merge)
    let file = merge.originFile
    try Self.expectNotEqual(verb, merge) {
      switch change {
      case .replaced: try Self.replaceByCopy(file)
      case .removed: try Program.remove(file)
      // The truncated file still extends past the last mapped block, so no compared data is lost.
      case .truncated: try Program.mustRun("truncate", "--size", "-4096", file)
      }
    }
  }

  @Test(
    "a loop device whose file is replaced during a comparison is not reported as equal",
    .needsLoopDevices,
    arguments: Verb.allCases)
  func loopDevice(verb: Verb) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    try Self.finish(merge)
    let file = merge.originFile
    try Self.expectNotEqual(verb, merge) { try Self.replaceByCopy(file) }
  }

  private static func replaceByCopy(_ file: String) throws {
    try Program.mustRun("cp", file, "\(file).copy")
    try Program.mustRun("mv", "\(file).copy", file)
  }

  /// Merges onto an origin that extends past its last mapped block.
  private static func finish(_ merge: MergeCase) throws {
    let source = MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 0)
    let outcome = try EngineInProcess.merge(
      source, onto: merge.origin, options: MergeOptions(journalPath: merge.journal))
    try #require(outcome.exitStatus == 0, "\(outcome.message)")
  }

  /// Runs a comparison, makes `change` while it runs, and expects status 3 with an error about the
  /// origin.
  private static func expectNotEqual(
    _ verb: Verb, _ merge: MergeCase, _ change: @escaping @Sendable () throws -> Void
  ) throws {
    let merger = Merger(
      environment: Environment(
        stateFolder: "/nonexistent", observer: ChangingOnce { try? change() }))
    let source = MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 0)
    var failure: Failure?
    do throws(MergeError) {
      switch verb {
      case .verify:
        failure = try merger.verify(source, against: merge.origin).failure
      case .verifyByJournal:
        failure = try merger.verify(journalPath: merge.journal, originPath: merge.origin).failure
      case .merge:
        failure = try merger.merge(
          source, onto: merge.origin, options: MergeOptions(journalPath: merge.journal)
        ).failure()
      }
    } catch {
      failure = Failure(error)
    }
    let said = try #require(failure, "\(verb)")
    #expect(said.exitStatus == .stopped, "\(verb): \(said.message)")
    #expect(["origin-moved", "origin-shortened"].contains(said.code), "\(verb): \(said.message)")
  }
}

/// An observer that runs a closure once, during a comparison.
private final class ChangingOnce: MergeObserver {
  private let happens: @Sendable () -> Void
  private let isOver = Mutex(false)

  init(_ happens: @escaping @Sendable () -> Void) { self.happens = happens }

  func note(_ note: MergeNote) {}
  func approve(_ plan: PlanReport) -> Bool { true }
  func progress(_ progress: MergeProgress) {
    guard progress.phase == .verifying else { return }
    let isFirst = isOver.withLock { over in
      defer { over = true }
      return !over
    }
    if isFirst { happens() }
  }
}
