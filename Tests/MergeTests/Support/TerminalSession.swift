import Foundation

/// A terminal with a script in it: a window of a tmux server of its own, which nobody is attached to.
final class TerminalSession {
  static let rowCount = 60
  private let folder: TemporaryFolder
  private var socket: String { folder.path("tmux") }

  /// Starts `script` in a shell; the window stays when that has ended.
  init(columnCount: Int, environment: [String: String] = [:], script: String) throws {
    folder = try TemporaryFolder()
    // The server's own locale decides what it takes from a program, and what it shows.
    try tmux(
      [
        "-f", "/dev/null", "-u", "new-session", "-d", "-x", "\(columnCount)", "-y",
        "\(Self.rowCount)",
      ]
        + environment.flatMap { ["-e", "\($0.key)=\($0.value)"] } + ["\(script)\nexec cat"])
  }

  deinit { _ = try? tmux(["kill-server"]) }

  /// Makes the window so many columns wide.
  func resize(columnCount: Int) throws {
    try tmux(["resize-window", "-x", "\(columnCount)", "-y", "\(Self.rowCount)"])
  }

  /// Presses a key, by tmux's name for it.
  func press(_ key: String) throws { try tmux(["send-keys", key]) }

  /// Types text.
  func type(_ text: String) throws { try tmux(["send-keys", "-l", text]) }

  /// The rows on the screen that are not empty, without the spaces at their ends.
  ///
  /// `colours`: with the control sequences for colours and the like, if there are any.
  func rows(colours: Bool = false) throws -> [String] {
    try tmux(["capture-pane", "-p"] + (colours ? ["-e"] : []))
      .split(separator: "\n").map(String.init)
  }

  /// Waits until the rows are as `isWanted` says, and gives them back.
  ///
  /// - Throws: `SupportError` once ``ProcessWatch`` gives up the processes of the window.
  @discardableResult
  func waitForRows(_ isWanted: ([String]) throws -> Bool) throws -> [String] {
    var rows: [String] = []
    var watch = ProcessWatch(try windowProcess())
    let reason = try poll {
      rows = try self.rows()
      return try isWanted(rows)
    } givingUp: {
      watch.giveUpReason(outputByteCount: rows.joined().utf8.count)
    }
    if let reason {
      throw SupportError("not shown, given up: \(reason):\n\(rows.joined(separator: "\n"))")
    }
    return rows
  }

  /// Returns the process that tmux has started in the window.
  private func windowProcess() throws -> pid_t {
    let answer = try tmux(["list-panes", "-F", "#{pane_pid}"])
    guard let identifier = pid_t(answer.trimmingCharacters(in: .whitespacesAndNewlines)) else {
      throw SupportError("tmux names no process: \(answer)")
    }
    return identifier
  }

  @discardableResult
  private func tmux(_ arguments: [String]) throws -> String {
    let result = try ChildProcess(
      ["tmux", "-S", socket] + arguments, environment: ["LC_ALL": "C.UTF-8"]
    ).wait()
    guard result.exitStatus == 0 else {
      throw SupportError("tmux \(arguments[0]): \(result.standardError)")
    }
    return result.standardOutput
  }
}
