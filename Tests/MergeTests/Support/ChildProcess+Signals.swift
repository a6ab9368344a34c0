import Foundation

extension ChildProcess {
  /// Waits until /proc shows that the program blocks, ignores, or catches `signal`.
  ///
  /// Before that, while the program is still loading, the signal's default action would kill it.
  func waitUntilItHandles(_ signal: Int32) throws -> Bool {
    try waitUntil { hasSignal(signal, in: ["SigBlk:", "SigIgn:", "SigCgt:"]) }
  }

  /// Waits until the kernel has delivered `signal`, so that it is no longer pending.
  func waitUntilTaken(_ signal: Int32) throws -> Bool {
    try waitUntil { !hasSignal(signal, in: ["SigPnd:", "ShdPnd:"]) }
  }

  /// Stops the program while `change` runs, so that the two cannot race.
  func whileStopped(_ change: () throws -> Void) throws {
    send(SIGSTOP)
    defer { send(SIGCONT) }
    guard try waitUntil({ isStopped }) else {
      throw SupportError("ended before it was stopped:\n\(standardErrorSoFar)")
    }
    try change()
  }

  /// True if all threads of the program are stopped.
  private var isStopped: Bool {
    let threads = "/proc/\(processIdentifier)/task"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: threads)) ?? []
    return !names.isEmpty
      && names.allSatisfy { name in
        let status = FileManager.default.contents(atPath: "\(threads)/\(name)/status") ?? Data()
        return String(decoding: status, as: UTF8.self).contains("\nState:\tT")
      }
  }

  /// Returns true if one of the named signal masks in /proc contains the signal.
  private func hasSignal(_ signal: Int32, in masks: [String]) -> Bool {
    guard
      let status = FileManager.default.contents(atPath: "/proc/\(processIdentifier)/status")
    else { return false }
    return String(decoding: status, as: UTF8.self).split(separator: "\n").contains { line in
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count == 2, masks.contains(String(words[0])),
        let mask = UInt64(words[1], radix: 16)
      else { return false }
      return mask & (1 << UInt64(signal - 1)) != 0
    }
  }
}
