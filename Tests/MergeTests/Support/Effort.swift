/// How much of a sweep is done.
enum Effort {
  /// All of it where the code is optimised, a sample where it is not: there each step takes ten times
  /// as long.
  static func of(all: Int, few: Int) -> Int { _isDebugAssertConfiguration() ? few : all }
}
