import Foundation

extension ChildProcess {
  /// Waits until the program has its own way with `signal`, which the kernel tells in /proc.
  ///
  /// Before that, while the program is loaded, the signal's default action would end it.
  func waitUntilItHandles(_ signal: Int32) throws -> Bool {
    try waitUntil { hasSignal(signal, in: ["SigBlk:", "SigIgn:", "SigCgt:"]) }
  }

  /// Waits until `signal`, which was sent, is pending no more: the kernel has delivered it.
  func waitUntilTaken(_ signal: Int32) throws -> Bool {
    try waitUntil { !hasSignal(signal, in: ["SigPnd:", "ShdPnd:"]) }
  }

  /// Whether one of these masks in /proc has the signal.
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
