internal import MergeEngine

/// How fast a phase goes: now, on average, and how long it will take.
///
/// The time is the phase's own, so that no clock is needed here.
struct RateEstimator {
  private struct Sample {
    var elapsed: Duration
    var byteCount: UInt64
  }

  /// What "now" means: long enough to be calm, short enough to follow a slow spot.
  private static let window = Duration.seconds(5)
  private static let sampleInterval = Duration.milliseconds(250)
  private var samples: [Sample] = []

  /// Takes in how far the phase is.
  mutating func record(_ progress: MergeProgress) {
    let sample = Sample(elapsed: progress.elapsed, byteCount: progress.doneByteCount)
    if let last = samples.last, sample.elapsed - last.elapsed < Self.sampleInterval { return }
    samples.append(sample)
    // The first sample stays just outside of the window, so that the window is always filled.
    while samples.count > 2, sample.elapsed - samples[1].elapsed >= Self.window {
      samples.removeFirst()
    }
  }

  /// Bytes a second over the last seconds; nil while there is too little to tell.
  func current(_ progress: MergeProgress) -> Double? {
    guard let first = samples.first, progress.doneByteCount >= first.byteCount else { return nil }
    let seconds = (progress.elapsed - first.elapsed).seconds
    guard seconds >= 0.2 else { return nil }
    return Double(progress.doneByteCount - first.byteCount) / seconds
  }

  /// Bytes a second since the phase began; nil while there is too little to tell.
  static func average(_ progress: MergeProgress) -> Double? {
    let seconds = progress.elapsed.seconds
    // At its end what there is has to do, if it is anything.
    let isDone =
      progress.doneByteCount >= progress.totalByteCount
      && progress.doneByteCount > progress.earlierByteCount
    guard seconds >= (isDone ? 0.001 : 0.2), progress.doneByteCount >= progress.earlierByteCount
    else { return nil }
    return Double(progress.doneByteCount - progress.earlierByteCount) / seconds
  }

  /// Seconds until the phase is done, at the current speed; nil while nobody can tell.
  func remainingSeconds(_ progress: MergeProgress) -> Double? {
    guard progress.doneByteCount < progress.totalByteCount else { return 0 }
    guard let rate = current(progress) ?? Self.average(progress), rate > 0 else { return nil }
    return Double(progress.totalByteCount - progress.doneByteCount) / rate
  }
}
