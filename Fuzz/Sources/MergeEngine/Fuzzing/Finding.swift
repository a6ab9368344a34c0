/// Reports an invariant that is violated.
enum Finding {
  /// Ends the process, which libFuzzer takes for a crash: it keeps the input.
  static func stop(_ what: String) -> Never { fatalError("found: \(what)") }

  static func unless(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { stop(what()) }
  }
}
