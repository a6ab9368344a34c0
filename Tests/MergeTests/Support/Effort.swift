import Foundation

/// Determines how much of an exhaustive test is run.
enum Effort {
  /// Returns `all` in an optimized build and `few` in a debug build, which is ten times slower.
  static func of(all: Int, few: Int) -> Int { _isDebugAssertConfiguration() ? few : all }

  /// The sampling rate for tests in which every step is a whole merge: one in this many steps runs.
  ///
  /// THIN_MERGE_SAMPLE overrides the rate for very slow builds.
  static let sampleOneIn: Int =
    ProcessInfo.processInfo.environment["THIN_MERGE_SAMPLE"].flatMap { Int($0) } ?? 1
}
