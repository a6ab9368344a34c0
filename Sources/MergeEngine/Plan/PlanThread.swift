internal import SystemPackage

/// Adds runs up to a plan on a thread of its own, while the tree's next leaves are read and checked.
///
/// Where there is no thread to be had, it does so itself.
struct PlanThread: ~Copyable {
  /// What goes from one thread to the other and back.
  ///
  /// SAFETY: who has waited for one semaphore has the rest to himself until he signals the other.
  private final class Work: @unchecked Sendable {
    var builder: PlanBuilder
    var batch = RunBatch(leafCount: PlanThread.batchLeafCount)
    /// That no batch was given, and none will be.
    var isEnd = false
    let given = Semaphore(0)
    let done = Semaphore(1)

    init(_ builder: PlanBuilder) { self.builder = builder }

    /// Adds up what is given, until the end.
    func run() {
      while true {
        given.wait()
        guard !isEnd else { return }
        builder.append(batch)
        done.signal()
      }
    }
  }

  /// Leaves whose runs go over at once: waking a thread costs as much as adding up a leaf or two.
  static let batchLeafCount = 64

  private let work: Work
  /// Nil where there was none to be had, and once the plan is finished.
  private var thread: SystemThread?

  init(_ builder: PlanBuilder, stackByteCount: Int = 256 << 10) {
    let work = Work(builder)
    self.work = work
    do throws(Errno) {
      thread = try SystemThread(stackByteCount: stackByteCount) { work.run() }
    } catch {
      thread = nil
    }
  }

  deinit {
    if let thread { Self.end(work, thread) }
  }

  /// Takes over the batch's runs, and leaves another batch, whose content is of no use any more.
  mutating func append(_ batch: inout RunBatch) {
    guard thread != nil else { return work.builder.append(batch) }
    work.done.wait()
    swap(&work.batch, &batch)
    work.given.signal()
  }

  /// The builder, with all that was appended.
  consuming func finish() -> PlanBuilder {
    if let thread = thread.take() { Self.end(work, thread) }
    return work.builder
  }

  private static func end(_ work: Work, _ thread: consuming SystemThread) {
    work.done.wait()
    work.isEnd = true
    work.given.signal()
    thread.join()
  }
}
