/// What the harness does when something that must hold does not.
enum Finding {
  /// Ends the process, which libFuzzer takes for a crash: it keeps the input.
  static func stop(_ what: String) -> Never { fatalError("found: \(what)") }

  static func unless(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { stop(what()) }
  }
}
