import Foundation

/// The changes and locks that a traced run of the command requested from the kernel, in order.
struct TracedEffects {
  private(set) var effects = EffectText()
  private let names: [(String, String)]
  private var unfinished: [Substring: Substring] = [:]

  private static let calls =
    "?open,openat,?creat,flock,fcntl,link,linkat,?rename,renameat,renameat2,unlink,unlinkat,mkdir,"
    + "mkdirat,fsync,fdatasync,ioctl,io_submit,pwrite64,fallocate,ftruncate,"
    + "fsetxattr,fremovexattr"

  /// Returns the `strace` command line that records the traced system calls in the file `output`.
  static func tracing(to output: String) -> [String] {
    ["strace", "-f", "-y", "-v", "-s", "256", "-e", "trace=" + calls, "-o", output]
  }

  /// Parses the output of `strace`.
  ///
  /// - `names`: path prefixes that vary from run to run, each with its fixed replacement.
  init(_ trace: String, names: [(String, String)]) {
    self.names = names.sorted { $0.0.count > $1.0.count }
    for line in trace.split(separator: "\n") {
      guard let (_, process, rest) = line.firstMatch(of: #/^(\d+) +(.*)$/#)?.output else {
        continue
      }
      if let (_, begun) = rest.firstMatch(of: #/^(.*) <unfinished \.\.\.>$/#)?.output {
        unfinished[process] = begun
      } else if let (_, ending) = rest.firstMatch(of: #/^<\.\.\. \w+ resumed>(.*)$/#)?.output {
        take(String((unfinished.removeValue(forKey: process) ?? "") + ending))
      } else {
        take(String(rest))
      }
    }
  }

  private mutating func take(_ call: String) {
    guard
      let (_, name, arguments, result, error) = call.firstMatch(
        of: #/^(\w+)\((.*)\) += (-?\d+|\?)(?:<[^>]*>)?(?: (E[A-Z0-9]+))?/#)?.output
    else { return }
    guard !Self.isQuestionToLoopDevice(call) else { return }
    let end = (Int(result) ?? 0) < 0 ? ": \(error ?? "fails")" : ""
    let paths = arguments.matches(of: #/"([^"]*)"/#).compactMap { known(String($0.output.1)) }
    let opened = arguments.firstMatch(of: #/^\d+<([^>]*)>/#).flatMap { known(String($0.output.1)) }
    switch name {
    case "open", "openat", "creat":
      guard let path = paths.first, let flags = arguments.firstMatch(of: #/", ([A-Z_|]+)/#)
      else { return }
      effects.add("open \(path) \(Self.telling(flags.output.1))\(end)")
    case "link", "linkat", "rename", "renameat", "renameat2":
      guard paths.count == 2 else { return }
      effects.add("\(name.hasPrefix("link") ? "link" : "rename") \(paths[0]) \(paths[1])\(end)")
    case "unlink", "unlinkat", "mkdir", "mkdirat":
      guard let path = paths.first else { return }
      effects.add("\(name.hasPrefix("unlink") ? "unlink" : "mkdir") \(path)\(end)")
    case "flock", "ioctl", "fcntl":
      guard let opened, let what = arguments.firstMatch(of: #/^\d+<[^>]*>, ([A-Z0-9_|]+)/#),
        !what.output.1.hasPrefix("F_GETF"), !what.output.1.hasPrefix("F_SETF"),
        // Unlocks are omitted because their timing varies: a lock is released when its file is
        // closed.
        what.output.1 != "LOCK_UN"
      else { return }
      effects.add("\(name) \(opened) \(what.output.1)\(end)")
    case "io_submit": takeSubmission(arguments, end)
    case "fsync", "fdatasync", "ftruncate":
      if let opened { effects.add("\(name) \(opened)\(end)") }
    case "pwrite64":
      if let opened { effects.add("write \(opened)\(end)") }
    case "fsetxattr", "fremovexattr":
      guard let opened, let attribute = arguments.firstMatch(of: #/"([^"]*)"/#) else { return }
      effects.add(
        "\(name == "fsetxattr" ? "set" : "remove") \(attribute.output.1) of \(opened)\(end)")
    case "fallocate":
      if let opened { effects.add("allocate \(opened)\(end)") }
    default: return
    }
  }

  /// Returns true if a system call only queries which file a loop device is attached to.
  ///
  /// The command queries every loop device of the system, in numerical order.
  private static func isQuestionToLoopDevice(_ call: String) -> Bool {
    call.contains("LOOP_GET_STATUS64")
      || call.firstMatch(of: #/^open(?:at)?\(.*"/dev/loop\d+", O_RDONLY\|O_CLOEXEC\)/#) != nil
  }

  private mutating func takeSubmission(_ arguments: Substring, _ end: String) {
    for block in arguments.matches(of: #/IOCB_CMD_(\w+)[^<]*aio_fildes=\d+<([^>]*)>/#) {
      guard let path = known(String(block.output.2)), block.output.1 != "PREAD" else { continue }
      effects.add("\(block.output.1 == "PWRITE" ? "write" : "flush") \(path) by AIO\(end)")
    }
  }

  /// Returns the open flags in their original order, without `O_CLOEXEC` and `O_LARGEFILE`.
  private static func telling(_ flags: Substring) -> String {
    flags.split(separator: "|").filter { $0 != "O_CLOEXEC" && $0 != "O_LARGEFILE" }
      .joined(separator: "|")
  }

  /// Returns a path with its varying parts replaced, or nil if the path does not belong to the
  /// test.
  private func known(_ path: String) -> String? {
    guard let (prefix, name) = names.first(where: { path.hasPrefix($0.0) }) else { return nil }
    // The name of a temporary file contains a process ID, and the name of a journal contains a
    // file's identity.
    return (name + path.dropFirst(prefix.count)).replacing(#/file-\d+-\d+\.\d+/#, with: "FILE")
      .replacing(#/@[0-9a-f]{10}(?=\.journal)/#, with: "@ID")
      .replacing(#/\.\d+(?=\.new$|$)/#, with: ".NUMBER").replacing(" (deleted)", with: "")
  }
}
