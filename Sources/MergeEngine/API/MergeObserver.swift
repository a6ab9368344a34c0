internal import Synchronization

/// Who is told how a verb goes on; called on the thread that called the verb, which waits meanwhile.
public protocol MergeObserver: Sendable {
  /// Something worth knowing that is no failure.
  func note(_ note: MergeNote)
  /// How far it is; called several times a second.
  func progress(_ progress: MergeProgress)
  /// Whether a merge that was planned so may write; asked once, before anything is written.
  ///
  /// After a no, the merge throws a `MergeError` of the kind `refused`.
  func approve(_ plan: PlanReport) -> Bool
}

/// Tells nobody anything, and approves every merge.
struct NullObserver: MergeObserver {
  func note(_ note: MergeNote) {}
  func progress(_ progress: MergeProgress) {}
  func approve(_ plan: PlanReport) -> Bool { true }
}

/// Passes on what an observer is told, each note once: a merge may plan the same device twice.
final class NotesOnce: MergeObserver {
  private let observer: any MergeObserver
  private let said = Mutex<[MergeNote]>([])

  init(_ observer: any MergeObserver) { self.observer = observer }

  func note(_ note: MergeNote) {
    let isNew = said.withLock { said in
      guard !said.contains(note) else { return false }
      said.append(note)
      return true
    }
    if isNew { observer.note(note) }
  }

  func progress(_ progress: MergeProgress) { observer.progress(progress) }
  func approve(_ plan: PlanReport) -> Bool { observer.approve(plan) }
}

/// How far a verb is.
public struct MergeProgress: Sendable {
  /// What is being done.
  public enum Phase: String, Sendable {
    /// Reading and checking the mapping tree; counts the bytes of mapped blocks.
    case planning
    /// Writing blocks onto the origin; counts bytes that are written.
    case merging
    /// Trying again what could not be read.
    case retrying
    /// Reading again what earlier runs recorded.
    case rechecking
    /// Comparing.
    case verifying
  }

  /// What is being done.
  public var phase: Phase
  /// Bytes of this phase that are done, those of earlier runs among them.
  public var doneByteCount: UInt64
  /// Bytes of this phase in all.
  public var totalByteCount: UInt64
  /// Of `doneByteCount`, those that were done before this run.
  public var earlierByteCount: UInt64
  /// Time since the phase began.
  public var elapsed: Duration
  /// Reads that have been submitted and have not completed.
  public var readsInFlight: Int
  /// Writes and flushes that have been submitted and have not completed.
  public var writesInFlight: Int
  /// Time since this run's last checkpoint was durable; nil before the first, and in phases without any.
  public var sinceCheckpoint: Duration?
  /// Whether a transfer that could not be read is being read again piece by piece.
  public var isSalvaging = false
  /// Bytes of this phase that turned out to be unreadable.
  public var unreadableByteCount: UInt64 = 0
}
