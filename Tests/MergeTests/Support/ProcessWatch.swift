import Foundation

/// Decides when a test should stop waiting for a program, without reading the clock.
///
/// The watch samples the program and all its descendants about once a second.
///
/// It gives up on the program in two cases:
///
/// - The program has used more processor time, in user and system mode, than allowed. This
///   catches endless loops. Competition for the processor does not increase the time used.
/// - The program was idle in ``idleLookCountMax`` samples with no progress in between. A sample is
///   idle if every thread of every process is asleep, stopped, or dead. Progress is a change in the
///   I/O counters that the kernel keeps for these processes, in the size of the output files, or in
///   the set of processes. This catches deadlocks, even if a thread wakes up occasionally to poll.
///
/// A process that is runnable but not scheduled, or that waits for a disk, is not idle, however
/// slow the machine is.
///
/// A rate-limited merge still reads and writes between two samples. Samples are counted, not timed:
/// if the test process is not scheduled either, the next sample is simply taken later.
///
/// A program that does nothing but write an occasional line keeps making progress, so the watch
/// never gives up on it.
struct ProcessWatch {
  /// The default limit on the processor time of a program, in seconds.
  ///
  /// A merge in the tests uses less than two seconds.
  static let usualProcessorSeconds = 120
  /// The number of idle samples, with no progress in between, after which the watch gives up.
  static let idleLookCountMax = 120

  /// The number of ``giveUpReason(outputByteCount:)`` calls per sample of the processes.
  private static let questionsPerLook = 100

  let processIdentifier: pid_t
  let processorSecondsMax: Int
  private var questionCount = 0
  private var idleLookCount = 0
  private var lastActivity: Activity?

  init(
    _ processIdentifier: pid_t, processorSecondsMax: Int = ProcessWatch.usualProcessorSeconds
  ) {
    self.processIdentifier = processIdentifier
    self.processorSecondsMax = processorSecondsMax
  }

  /// Samples the processes once every ``questionsPerLook`` calls.
  ///
  /// - Parameter outputByteCount: The size of the program's output so far.
  /// - Returns: The reason to give up on the program, or nil to keep waiting.
  mutating func giveUpReason(outputByteCount: Int) -> String? {
    questionCount += 1
    guard questionCount.isMultiple(of: Self.questionsPerLook) else { return nil }
    let processes = RunningProcess.tree(from: processIdentifier)
    return judge(processes, outputByteCount: outputByteCount)
  }

  /// Evaluates one sample of the processes, and returns the reason to give up, or nil.
  mutating func judge(_ processes: [RunningProcess], outputByteCount: Int) -> String? {
    let processorSeconds =
      processes.reduce(0) { $0 + $1.processorTicks } / RunningProcess.ticksPerSecond
    if processorSeconds > processorSecondsMax {
      return "it used \(processorSeconds) s of processor time"
    }
    let activity = Activity(processes: processes, outputByteCount: outputByteCount)
    if activity != lastActivity {
      lastActivity = activity
      idleLookCount = 0
    } else if processes.allSatisfy(\.isIdle) {
      idleLookCount += 1
    }
    guard idleLookCount >= Self.idleLookCountMax else { return nil }
    return "it slept at \(idleLookCount) looks, without input or output"
  }

  /// The observed values whose changes count as progress.
  private struct Activity: Equatable {
    var identifiers: [pid_t]
    var inputOutput: [String]
    var outputByteCount: Int

    init(processes: [RunningProcess], outputByteCount: Int) {
      identifiers = processes.map(\.identifier)
      inputOutput = processes.map { $0.inputOutput ?? "\($0.processorTicks)" }
      self.outputByteCount = outputByteCount
    }
  }
}

/// A snapshot of a process, taken from `/proc`.
struct RunningProcess {
  var identifier: pid_t
  var parentIdentifier: pid_t = 0
  /// The user and system time of the process and of the children it has reaped, in clock ticks.
  var processorTicks: Int
  /// True if no thread is runnable or waiting for a disk.
  var isIdle: Bool
  /// The I/O counters of the process; nil if the current user is not allowed to read them.
  var inputOutput: String?

  static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))

  /// Returns the process `root` and its descendants, in ascending order of process ID.
  static func tree(from root: pid_t) -> [RunningProcess] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let all = names.compactMap { pid_t($0) }.compactMap { RunningProcess($0) }
    let children = Dictionary(grouping: all, by: \.parentIdentifier)
    var found = all.filter { $0.identifier == root }
    var next = 0
    while next < found.count {
      found += children[found[next].identifier] ?? []
      next += 1
    }
    return found.sorted { $0.identifier < $1.identifier }.map { $0.withDetails() }
  }

  init(identifier: pid_t, processorTicks: Int, isIdle: Bool, inputOutput: String?) {
    self.identifier = identifier
    self.processorTicks = processorTicks
    self.isIdle = isIdle
    self.inputOutput = inputOutput
  }

  /// Reads the `stat` file of a process; nil if the process no longer exists.
  private init?(_ identifier: pid_t) {
    guard let fields = Self.fields("/proc/\(identifier)/stat") else { return nil }
    self.identifier = identifier
    parentIdentifier = pid_t(fields[1]) ?? 0
    processorTicks = fields[11...14].reduce(0) { $0 + (Int($1) ?? 0) }
    isIdle = true
  }

  /// Returns this snapshot with the thread states and the I/O counters filled in.
  private func withDetails() -> RunningProcess {
    var detailed = self
    let folder = "/proc/\(identifier)"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/task")) ?? []
    detailed.isIdle = threads.allSatisfy { thread in
      guard let fields = Self.fields("\(folder)/task/\(thread)/stat") else { return true }
      return !["R", "D"].contains(fields[0])
    }
    detailed.inputOutput = Self.text(folder + "/io")
    return detailed
  }

  /// Returns the fields of a `stat` file that follow the program name.
  ///
  /// The name may contain any character.
  private static func fields(_ path: String) -> [Substring]? {
    guard let text = text(path), let nameEnd = text.lastIndex(of: ")") else {
      return nil
    }
    let fields = text[text.index(after: nameEnd)...].split(separator: " ")
    return fields.count > 14 ? fields : nil
  }

  private static func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }
}
