extension MergeError: CustomStringConvertible {
  /// What a tool of the suite prints before it ends.
  public var description: String { message + (hint.map { " (\($0))" } ?? "") }
}
