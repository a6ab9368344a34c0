internal import SystemPackage

/// Adds runs up to a plan on a thread of its own, while the tree's next leaves are read and checked.
struct PlanThread: ~Copyable {
  /// What goes from one thread to the other and back.
  ///
  /// SAFETY: who has waited for one semaphore has all of it to himself until he signals the other.
  private final class Work: @unchecked Sendable {
    var builder: PlanBuilder
    var batch = RunBatch(leafCount: PlanThread.batchLeafCount)
    var isEnd = false
    let given = Semaphore(0)
    let done = Semaphore(1)
    /// Nil once it has ended; of no concern to the thread itself.
    var thread: SystemThread?

    init(_ builder: PlanBuilder) { self.builder = builder }

    func run() {
      while true {
        given.wait()
        guard !isEnd else { return }
        builder.append(batch)
        done.signal()
      }
    }

    func end() {
      guard let thread = thread.take() else { return }
      done.wait()
      isEnd = true
      given.signal()
      thread.join()
    }
  }

  /// Leaves whose runs go over at once: waking a thread costs as much as adding up a leaf or two.
  static let batchLeafCount = 64
  private static let stackByteCount = 256 << 10

  private let work: Work

  /// - Throws: `Errno` where there is no thread to be had.
  init(_ builder: PlanBuilder) throws(Errno) {
    let work = Work(builder)
    work.thread = try SystemThread(stackByteCount: Self.stackByteCount) { work.run() }
    self.work = work
  }

  deinit { work.end() }

  /// Takes over the batch's runs, and leaves another batch, whose content is of no use any more.
  mutating func append(_ batch: inout RunBatch) {
    work.done.wait()
    swap(&work.batch, &batch)
    work.given.signal()
  }

  /// The builder, with all that was appended.
  consuming func finish() -> PlanBuilder {
    work.end()
    return work.builder
  }
}
