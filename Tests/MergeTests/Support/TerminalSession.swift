import Foundation

/// A terminal that runs a script in a window of a private tmux server with no client attached.
final class TerminalSession {
  static let rowCount = 60
  private let folder: TemporaryFolder
  private var socket: String { folder.path("tmux") }

  /// Starts `script` in a shell.
  ///
  /// The window stays open after the script exits.
  init(columnCount: Int, environment: [String: String] = [:], script: String) throws {
    folder = try TemporaryFolder()
    // The locale of the tmux server determines which characters it accepts and displays.
    try tmux(
      [
        "-f", "/dev/null", "-u", "new-session", "-d", "-x", "\(columnCount)", "-y",
        "\(Self.rowCount)",
      ]
        + environment.flatMap { ["-e", "\($0.key)=\($0.value)"] } + ["\(script)\nexec cat"])
  }

  deinit { _ = try? tmux(["kill-server"]) }

  /// Resizes the window to a width of `columnCount` columns.
  func resize(columnCount: Int) throws {
    try tmux(["resize-window", "-x", "\(columnCount)", "-y", "\(Self.rowCount)"])
  }

  /// Presses a key, given by its tmux name.
  func press(_ key: String) throws { try tmux(["send-keys", key]) }

  /// Types the given text into the terminal.
  func type(_ text: String) throws { try tmux(["send-keys", "-l", text]) }

  /// Returns the nonempty rows of the screen, without trailing spaces.
  ///
  /// - `colours`: true to include the control sequences for colors and other attributes.
  func rows(colours: Bool = false) throws -> [String] {
    try tmux(["capture-pane", "-p"] + (colours ? ["-e"] : []))
      .split(separator: "\n").map(String.init)
  }

  /// Waits until `isWanted` returns true for the rows on the screen, and returns those rows.
  ///
  /// - Throws: `SupportError` if ``ProcessWatch`` gives up on the processes in the window.
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

  /// Returns the ID of the process that tmux started in the window.
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
