import Foundation

/// The share of a sweep that a run covers.
enum Effort {
  /// Returns `all` in an optimized build and `few` in a debug build, where steps take ten times as
  /// long.
  static func of(all: Int, few: Int) -> Int { _isDebugAssertConfiguration() ? few : all }

  /// The sampling of sweeps whose steps are whole merges: one step in this many runs.
  ///
  /// THIN_MERGE_SAMPLE sets the sampling for very slow builds.
  static let sampleOneIn: Int =
    ProcessInfo.processInfo.environment["THIN_MERGE_SAMPLE"].flatMap { Int($0) } ?? 1
}
