import Foundation

/// How much of a sweep is done.
enum Effort {
  /// All of it where the code is optimised, a sample where it is not: there each step takes ten times
  /// as long.
  static func of(all: Int, few: Int) -> Int { _isDebugAssertConfiguration() ? few : all }

  /// One in so many steps is taken of sweeps whose steps are whole merges: as THIN_MERGE_SAMPLE says,
  /// for builds in which everything takes very long.
  static let sampleOneIn: Int =
    ProcessInfo.processInfo.environment["THIN_MERGE_SAMPLE"].flatMap { Int($0) } ?? 1
}
