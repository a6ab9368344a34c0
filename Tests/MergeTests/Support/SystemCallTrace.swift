import Foundation

/// A program's requests to the system for files, in order, as strace reports them.
///
/// Places in a trace are line numbers: an event that ended at one place preceded an event that
/// began at a later place.
struct SystemCallTrace {
  enum Operation { case read, write, flush }

  /// A read, write, or flush, in a call of its own or through an AIO queue.
  struct Request {
    var operation: Operation
    /// The system's name of the open file.
    var path: String
    /// Nil if the call does not contain the offset.
    var byteOffset: UInt64?
    var byteCount: Int
    var begin: Int
    /// The place where the program learned of the completion.
    var end: Int?
    var result: Int?

    var hasSucceeded: Bool { result.map { $0 >= 0 } ?? false }

    /// The range of the bytes read or written.
    var range: Range<UInt64> {
      let start = byteOffset ?? 0
      return start..<start + UInt64(max(0, result ?? 0))
    }
  }

  /// A file that was opened.
  struct Opening {
    var path: String
    var flags: Set<Substring>
  }

  /// A name that was given to a file.
  struct Naming {
    var path: String
    var name: String
    var begin: Int
    var end: Int
  }

  private(set) var requests: [Request] = []
  private(set) var openings: [Opening] = []
  /// Names given by `link` and by `rename`.
  private(set) var namings: [Naming] = []

  private static let calls =
    "?open,openat,?creat,write,?writev,pwrite64,?pwritev,?pwritev2,fsync,fdatasync,?link,linkat,"
    + "?rename,renameat,renameat2,io_submit,io_getevents"

  /// True if this process may trace a program.
  static let isPossible: Bool = {
    guard Machine.has("strace") else { return false }
    let result = try? Program.run(["strace", "-f", "-y", "-e", "trace=openat", "true"])
    return result?.exitStatus == 0
  }()

  /// Returns a wrapper that hides all completions from the 30th io_getevents on.
  ///
  /// The file `trace` contains `INJECTED` from then on.
  static func hanging(trace: String) -> [String] {
    // With -D, the started process is the program and not the tracer.
    [
      "strace", "-D", "-f", "-qq", "-o", trace, "-e", "trace=io_getevents,?io_pgetevents", "-e",
      "inject=io_getevents,?io_pgetevents:retval=0:delay_enter=20000:when=30+",
    ]
  }

  /// Returns a wrapper under which io_getevents fails from call number `first` on.
  static func withoutCompletions(from first: Int) -> [String] {
    [
      "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=io_getevents,?io_pgetevents", "-e",
      "inject=io_getevents,?io_pgetevents:error=EPERM:when=\(first)+",
    ]
  }

  /// Runs `thin-merge` to its end, and returns its result and its trace.
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

  /// - Throws: `SupportError` for a request in the trace that is not understood.
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
