import Foundation

/// Decides when a test gives up a program that it waits for, without reading the clock.
///
/// The watch looks about once a second at the program and all its descendants.
///
/// It gives the program up in two cases:
///
/// - The program has used more processor time, in user and system mode, than allowed. An endless
///   loop ends here. Competition for the processor does not increase a program's processor time.
/// - The program was idle at ``idleLookCountMax`` looks with no progress in between. A look is idle
///   if every thread of every process sleeps, is stopped, or has ended. Progress is a change of the
///   bytes and calls that the system counts as input and output of these processes, of the output
///   files, or of the set of processes. A deadlock ends here, even one that wakes up now and then
///   to poll.
///
/// A process that is runnable but not scheduled, or that waits for a disk, is not idle, however
/// slow the machine is.
///
/// A merge with a rate limit reads and writes between two looks. Looks are counted, not timed: if
/// this process is not scheduled either, the next look comes later.
///
/// A program that only writes a line now and then makes progress forever, and is not given up.
struct ProcessWatch {
  /// The processor time that a program may use, in seconds.
  ///
  /// A merge in the tests uses less than two.
  static let usualProcessorSeconds = 120
  /// The number of idle looks without progress in between that ends the wait.
  static let idleLookCountMax = 120

  /// The number of ``giveUpReason(outputByteCount:)`` calls for one look at the system.
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

  /// Looks at the system once in ``questionsPerLook`` calls.
  ///
  /// - Parameter outputByteCount: The size of the program's output so far.
  /// - Returns: The reason to give the program up, or nil.
  mutating func giveUpReason(outputByteCount: Int) -> String? {
    questionCount += 1
    guard questionCount.isMultiple(of: Self.questionsPerLook) else { return nil }
    let processes = RunningProcess.tree(from: processIdentifier)
    return judge(processes, outputByteCount: outputByteCount)
  }

  /// Judges one look at the processes.
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

  /// The changes that count as progress.
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

/// A process as `/proc` shows it at one moment.
struct RunningProcess {
  var identifier: pid_t
  var parentIdentifier: pid_t = 0
  /// User and system time of the process and of its children that it has waited for.
  var processorTicks: Int
  /// True if no thread is runnable or waits for a disk.
  var isIdle: Bool
  /// The counters of the process's input and output; nil if this user may not read them.
  var inputOutput: String?

  static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))

  /// Returns the process and its descendants, in ascending order of their identifiers.
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

  /// Reads the process's `stat` file; nil if the process has ended.
  private init?(_ identifier: pid_t) {
    guard let fields = Self.fields("/proc/\(identifier)/stat") else { return nil }
    self.identifier = identifier
    parentIdentifier = pid_t(fields[1]) ?? 0
    processorTicks = fields[11...14].reduce(0) { $0 + (Int($1) ?? 0) }
    isIdle = true
  }

  /// Adds the states of the threads and the counters.
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

  /// Returns the fields of a `stat` file after the name, which may contain any character.
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
