@testable import MergeEngine
@testable import thin_merge

/// Samples of the progress of a phase.
enum ProgressSample {
  static let gibibyte: UInt64 = 1 << 30

  /// Returns the progress of a phase with one read in flight.
  ///
  /// If the phase has writes and checkpoints, two writes are also in flight, and the last
  /// checkpoint was 2.5 s ago.
  static func progress(
    _ phase: MergeProgress.Phase, done: UInt64, of total: UInt64, after elapsed: Duration
  ) -> MergeProgress {
    MergeProgress(
      phase: phase, doneByteCount: done, totalByteCount: total, earlierByteCount: 0,
      elapsed: elapsed, readsInFlight: 1, writesInFlight: phase == .verifying ? 0 : 2,
      sinceCheckpoint: [.planning, .verifying].contains(phase) ? nil : .milliseconds(2500))
  }

  /// Returns the progress line of a phase whose speed has been constant since it began.
  static func line(
    _ phase: MergeProgress.Phase, done: UInt64, of total: UInt64, after elapsed: Duration
  ) -> ProgressLine {
    var pace = RateEstimator()
    pace.record(progress(phase, done: 0, of: total, after: .zero))
    return ProgressLine(
      progress: progress(phase, done: done, of: total, after: elapsed), pace: pace)
  }
}
