internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import MergeEngine

/// Merges with parts of the work left out, and prints what it took.
@main
struct BenchParts: ParsableCommand {
  enum Part: String, CaseIterable, ExpressibleByArgument { case on, off }

  static let configuration = CommandConfiguration(
    commandName: "bench-parts",
    abstract: "Merge scattered blocks of 64 KiB with parts of the work left out.",
    discussion: """
      Overwrites every second block of ORIGIN. Prints one JSON object: seconds, user_seconds and \
      system_seconds of the merge itself, with a last flush of the origin, and bytes.
      """)

  @Argument(help: "What is read: a file or device with COUNT blocks.")
  var data: String

  @Argument(help: "What is written: a file or device with twice as many.")
  var origin: String

  @Option(help: "How many blocks are merged.")
  var count: UInt64

  @Option(help: "Whether what is read is checksummed.")
  var checksums: Part = .on

  @Option(help: "Whether what is done is recorded in a journal.")
  var checkpoints: Part = .on

  @Option(help: "Where the journal is made; it is removed in the end.")
  var journal = "bench-parts.journal"

  @Option(help: "Decides the order of the blocks on DATA.")
  var seed: UInt64 = 1

  func validate() throws {
    guard (1...1 << 40).contains(count) else {
      throw ValidationError("1 to 2^40 blocks are possible")
    }
  }

  func run() throws {
    let start = SuspendingClock.now
    let clock = MergeEngine.Clock(now: { start.duration(to: .now) }, sleep: { _ in })
    var merge = try PartsMerge(
      PartsMerge.Setting(
        dataPath: data, originPath: origin, journalPath: journal, transferCount: count, seed: seed),
      clock: clock, processID: getpid())
    let before = Usage.now()
    let begin = clock.now()
    let byteCount = try merge.run(checksums: checksums == .on, checkpoints: checkpoints == .on)
    let duration = clock.now() - begin
    let after = Usage.now()
    try merge.end()
    let result = Result(
      seconds: duration / .seconds(1), userSeconds: after.user - before.user,
      systemSeconds: after.system - before.system, bytes: byteCount)
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = .sortedKeys
    print(String(decoding: try encoder.encode(result), as: UTF8.self))
  }
}

private struct Result: Encodable {
  var seconds, userSeconds, systemSeconds: Double
  var bytes: UInt64
}

/// Processor seconds of this process.
private struct Usage {
  var user, system: Double

  static func now() -> Usage {
    var usage = rusage()
    // SAFETY: the call fills in the variable given.
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Usage(user: seconds(usage.ru_utime), system: seconds(usage.ru_stime))
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
  }
}
