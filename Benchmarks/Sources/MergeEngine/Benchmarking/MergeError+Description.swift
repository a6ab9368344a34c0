extension MergeError: CustomStringConvertible {
  /// The text that a tool of the suite prints before it exits.
  public var description: String { message + (hint.map { " (\($0))" } ?? "") }
}
