internal import MergeEngine

/// Estimates the current speed, average speed and remaining time of a phase.
///
/// Elapsed times are part of the recorded progress, so no clock is needed.
struct RateEstimator {
  private struct Sample {
    var elapsed: Duration
    var byteCount: UInt64
  }

  /// The period over which the current speed is measured: long enough to be steady, short enough to
  /// reveal a slow spot.
  private static let window = Duration.seconds(5)
  private static let sampleInterval = Duration.milliseconds(250)
  private var samples: [Sample] = []

  /// Records the progress of the phase.
  mutating func record(_ progress: MergeProgress) {
    let sample = Sample(elapsed: progress.elapsed, byteCount: progress.doneByteCount)
    if let last = samples.last, sample.elapsed - last.elapsed < Self.sampleInterval { return }
    samples.append(sample)
    // The first sample stays just outside the window, so that the samples always cover the whole
    // window.
    while samples.count > 2, sample.elapsed - samples[1].elapsed >= Self.window {
      samples.removeFirst()
    }
  }

  /// Returns bytes per second over the window; nil while there is too little data.
  func current(_ progress: MergeProgress) -> Double? {
    guard let first = samples.first, progress.doneByteCount >= first.byteCount else { return nil }
    let seconds = (progress.elapsed - first.elapsed).seconds
    guard seconds >= 0.2 else { return nil }
    return Double(progress.doneByteCount - first.byteCount) / seconds
  }

  /// Returns bytes per second since the phase began; nil while there is too little data.
  static func average(_ progress: MergeProgress) -> Double? {
    let seconds = progress.elapsed.seconds
    // A complete phase gets an average even if it took as little as 1 ms.
    let isDone =
      progress.doneByteCount >= progress.totalByteCount
      && progress.doneByteCount > progress.earlierByteCount
    guard seconds >= (isDone ? 0.001 : 0.2), progress.doneByteCount >= progress.earlierByteCount
    else { return nil }
    return Double(progress.doneByteCount - progress.earlierByteCount) / seconds
  }

  /// Returns the seconds until the phase is done, at the current speed; nil while unknown.
  func remainingSeconds(_ progress: MergeProgress) -> Double? {
    guard progress.doneByteCount < progress.totalByteCount else { return 0 }
    guard let rate = current(progress) ?? Self.average(progress), rate > 0 else { return nil }
    return Double(progress.totalByteCount - progress.doneByteCount) / rate
  }
}
