import Foundation
import MergeEngine
import Synchronization
import Testing

@testable import thin_merge

@Suite("Engine: an origin that changes while it is compared")
struct ComparedOriginTests {
  /// What compares.
  enum Verb: CaseIterable {
    case verify, verifyByJournal, merge
  }

  /// What becomes of the origin.
  enum Change: CaseIterable {
    case replaced, removed, truncated
  }

  @Test(
    "nothing is called equal whose path leads elsewhere by now, or that became shorter",
    arguments: Verb.allCases, Change.allCases)
  func changed(verb: Verb, change: Change) throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    try Self.finish(merge)
    let file = merge.originFile
    try Self.expectNotEqual(verb, merge) {
      switch change {
      case .replaced: try Self.replaceByCopy(file)
      case .removed: try Program.remove(file)
      // The end is behind the last mapped block: all that is compared is still there.
      case .truncated: try Program.mustRun("truncate", "--size", "-4096", file)
      }
    }
  }

  @Test(
    "a loop device is not called equal whose file is another one by now", .needsLoopDevices,
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

  /// Merges onto an origin that goes on behind its last mapped block.
  private static func finish(_ merge: MergeCase) throws {
    let source = MergeSource(metadataPath: merge.metadata, dataPath: merge.data, deviceID: 0)
    let outcome = try EngineInProcess.merge(
      source, onto: merge.origin, options: MergeOptions(journalPath: merge.journal))
    try #require(outcome.exitStatus == 0, "\(outcome.message)")
  }

  /// Compares, lets `change` happen meanwhile, and expects exit status 3, and words about the origin.
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

/// Lets something happen once, while bytes are compared.
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
