/// Reports violated invariants to libFuzzer.
enum Finding {
  /// Ends the process; libFuzzer treats that as a crash and saves the input.
  static func stop(_ what: String) -> Never { fatalError("found: \(what)") }

  static func unless(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { stop(what()) }
  }
}
