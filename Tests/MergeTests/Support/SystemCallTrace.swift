import Foundation

/// The file operations of a program in order, as reported by strace.
///
/// Positions in a trace are line numbers. An event that ended at one position happened before any
/// event that began at a later position.
struct SystemCallTrace {
  enum Operation { case read, write, flush }

  /// A read, write, or flush, made by a direct system call or through an AIO queue.
  struct Request {
    var operation: Operation
    /// The path of the open file, as the kernel reports it.
    var path: String
    /// The byte offset of the request; nil if the system call does not specify one.
    var byteOffset: UInt64?
    var byteCount: Int
    var begin: Int
    /// The trace line at which the program learned that the request had completed.
    var end: Int?
    var result: Int?

    var hasSucceeded: Bool { result.map { $0 >= 0 } ?? false }

    /// The byte range that was read or written.
    var range: Range<UInt64> {
      let start = byteOffset ?? 0
      return start..<start + UInt64(max(0, result ?? 0))
    }
  }

  /// The opening of a file.
  struct Opening {
    var path: String
    var flags: Set<Substring>
  }

  /// The assignment of a name to a file by `link` or `rename`.
  struct Naming {
    var path: String
    var name: String
    var begin: Int
    var end: Int
  }

  private(set) var requests: [Request] = []
  private(set) var openings: [Opening] = []
  /// All `link` and `rename` calls in the trace.
  private(set) var namings: [Naming] = []

  private static let calls =
    "?open,openat,?creat,write,?writev,pwrite64,?pwritev,?pwritev2,fsync,fdatasync,?link,linkat,"
    + "?rename,renameat,renameat2,io_submit,io_getevents"

  /// True if this process is able to trace another program.
  static let isPossible: Bool = {
    guard Machine.has("strace") else { return false }
    let result = try? Program.run(["strace", "-f", "-y", "-e", "trace=openat", "true"])
    return result?.exitStatus == 0
  }()

  /// Returns a wrapper command that hides all AIO completions, starting at the 30th io_getevents.
  ///
  /// Once completions are hidden, the file `trace` contains `INJECTED`.
  static func hanging(trace: String) -> [String] {
    // With -D, the child process is the program itself rather than the tracer.
    [
      "strace", "-D", "-f", "-qq", "-o", trace, "-e", "trace=io_getevents,?io_pgetevents", "-e",
      "inject=io_getevents,?io_pgetevents:retval=0:delay_enter=20000:when=30+",
    ]
  }

  /// Returns a wrapper command that makes every io_getevents call fail, starting at call `first`.
  static func withoutCompletions(from first: Int) -> [String] {
    [
      "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=io_getevents,?io_pgetevents", "-e",
      "inject=io_getevents,?io_pgetevents:error=EPERM:when=\(first)+",
    ]
  }

  /// Runs `thin-merge` under strace until it exits, and returns the result and the trace.
  static func ofCommand(
    _ arguments: [String], in folder: TemporaryFolder
  ) throws -> (result: CommandResult, trace: SystemCallTrace) {
    let output = folder.path("trace-\(UUID().uuidString)")
    let result = try ThinMergeCommand.run(
      arguments,
      under: ["strace", "-f", "-y", "-v", "-s", "0", "-o", output, "-e", "trace=" + calls])
    let text = try String(contentsOfFile: output, encoding: .utf8)
    return (result, try SystemCallTrace(text))
  }

  /// - Throws: `SupportError` if the trace contains a request that cannot be parsed.
  init(_ text: String) throws {
    var unfinished: [Substring: (text: Substring, begin: Int)] = [:]
    var inFlight: [String: Int] = [:]
    for (place, line) in text.split(separator: "\n").enumerated() {
      guard let (_, process, rest) = line.firstMatch(of: #/^(\d+) +(.*)$/#)?.output else {
        continue
      }
      if let (_, begun) = rest.firstMatch(of: #/^(.*) <unfinished \.\.\.>$/#)?.output {
        unfinished[process] = (begun, place)
      } else if let (_, ending) = rest.firstMatch(of: #/^<\.\.\. \w+ resumed>(.*)$/#)?.output {
        guard let first = unfinished.removeValue(forKey: process) else { continue }
        try take(String(first.text + ending), begin: first.begin, end: place, &inFlight)
      } else {
        try take(String(rest), begin: place, end: place, &inFlight)
      }
    }
  }

  private mutating func take(
    _ call: String, begin: Int, end: Int, _ inFlight: inout [String: Int]
  ) throws {
    guard
      let (_, name, arguments, text) = call.firstMatch(
        of: #/^(\w+)\((.*)\) += (-?\d+|\?)/#)?.output
    else { return }
    let result = Int(text) ?? -1
    switch name {
    case "open", "openat", "creat": takeOpening(call, result)
    case "link", "linkat", "rename", "renameat", "renameat2":
      let names = arguments.matches(of: #/"([^"]*)"/#).map { String($0.output.1) }
      guard result == 0, names.count == 2 else { return }
      namings.append(Naming(path: names[0], name: names[1], begin: begin, end: end))
    case "write", "writev", "pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync":
      guard let (_, path) = arguments.firstMatch(of: #/^\d+<([^>]*)>/#)?.output else { return }
      let numbers = arguments.matches(of: #/, (\d+)\b/#).compactMap { Int($0.output.1) }
      let isFlush = name.hasSuffix("sync")
      requests.append(
        Request(
          operation: isFlush ? .flush : .write, path: String(path),
          byteOffset: numbers.count > 1 ? numbers.last.map { UInt64($0) } : nil,
          byteCount: numbers.first ?? 0, begin: begin, end: end, result: result))
    case "io_submit": try takeSubmission(String(arguments), begin, count: result, &inFlight)
    case "io_getevents": takeCompletions(String(arguments), end, &inFlight)
    default: return
    }
  }

  private mutating func takeOpening(_ call: String, _ result: Int) {
    guard result >= 0, let (_, flags) = call.firstMatch(of: #/", ([A-Z_|]+)/#)?.output,
      let (_, path) = call.firstMatch(of: #/ = \d+<([^>]*)>/#)?.output
    else { return }
    openings.append(Opening(path: String(path), flags: Set(flags.split(separator: "|"))))
  }

  private mutating func takeSubmission(
    _ arguments: String, _ place: Int, count: Int, _ inFlight: inout [String: Int]
  ) throws {
    guard count > 0 else { return }
    let queue = arguments.prefix { $0 != "," }
    let blocks = arguments.matches(
      of: #/\{aio_data=(\w+)[^<]*IOCB_CMD_(\w+)[^<]*aio_fildes=\d+<([^>]*)>([^}]*)\}/#)
    guard blocks.count >= count else {
      throw SupportError("\(blocks.count) of \(count) requests are understood in: \(arguments)")
    }
    for block in blocks.prefix(count) {
      let (_, tag, operation, path, rest) = block.output
      func number(_ name: String) -> UInt64? {
        rest.split(separator: ", ").first { $0.hasPrefix(name + "=") }
          .flatMap { UInt64($0.dropFirst(name.count + 1)) }
      }
      let operations: [Substring: Operation] = [
        "PREAD": .read, "PWRITE": .write, "FDSYNC": .flush, "FSYNC": .flush,
      ]
      guard let operation = operations[operation] else {
        throw SupportError("an unknown request: \(block.output.0)")
      }
      inFlight["\(queue) \(tag)"] = requests.count
      requests.append(
        Request(
          operation: operation, path: String(path), byteOffset: number("aio_offset"),
          byteCount: Int(number("aio_nbytes") ?? 0), begin: place))
    }
  }

  private mutating func takeCompletions(
    _ arguments: String, _ place: Int, _ inFlight: inout [String: Int]
  ) {
    let queue = arguments.prefix { $0 != "," }
    for event in arguments.matches(of: #/\{data=(\w+), obj=\w+, res=(-?\d+)/#) {
      guard let index = inFlight.removeValue(forKey: "\(queue) \(event.output.1)") else { continue }
      requests[index].end = place
      requests[index].result = Int(event.output.2)
    }
  }
}
