internal import Synchronization

/// Receives the notes and progress of a verb, such as a merge.
///
/// All methods are called on the thread that called the verb, and block it until they return.
public protocol MergeObserver: Sendable {
  /// Receives a message that is not a failure.
  func note(_ note: MergeNote)
  /// Receives progress updates several times a second.
  func progress(_ progress: MergeProgress)
  /// Returns true to let the planned merge write; called once, before the first write.
  ///
  /// If false, the merge throws a `MergeError` of the kind `refused`.
  func approve(_ plan: PlanReport) -> Bool
}

/// An observer that ignores everything and approves every merge.
struct NullObserver: MergeObserver {
  func note(_ note: MergeNote) {}
  func progress(_ progress: MergeProgress) {}
  func approve(_ plan: PlanReport) -> Bool { true }
}

/// An observer that forwards everything to another observer, but each note only once.
///
/// A note can recur because a merge may plan the same device twice.
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

/// The progress of a verb.
public struct MergeProgress: Sendable {
  /// The current activity.
  public enum Phase: String, Sendable {
    /// Reading and checking the mapping tree; counts the bytes of mapped blocks.
    case planning
    /// Writing blocks onto the origin; counts written bytes.
    case merging
    /// Retrying unreadable ranges.
    case retrying
    /// Checking bytes recorded by earlier runs.
    case rechecking
    /// Comparing.
    case verifying
  }

  /// The current activity.
  public var phase: Phase
  /// Completed bytes of this phase, including those of earlier runs.
  public var doneByteCount: UInt64
  /// Total bytes of this phase.
  public var totalByteCount: UInt64
  /// The part of `doneByteCount` completed before this run.
  public var earlierByteCount: UInt64
  /// The time since the phase began.
  public var elapsed: Duration
  /// The number of reads in flight.
  public var readsInFlight: Int
  /// The number of writes and flushes in flight.
  public var writesInFlight: Int
  /// The time since this run's last checkpoint became durable; nil before the first, and in phases
  /// without checkpoints.
  public var sinceCheckpoint: Duration?
  /// True if an unreadable transfer is being read again piece by piece.
  public var isSalvaging = false
  /// Bytes of this phase found to be unreadable.
  public var unreadableByteCount: UInt64 = 0
}
