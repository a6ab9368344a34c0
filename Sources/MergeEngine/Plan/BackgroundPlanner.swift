internal import SystemPackage

/// Adds runs to a plan and finds data blocks that are in two of them, on a separate thread, while
/// the tree's next leaves are read and checked.
///
/// Without a thread, the planner does the work on the caller's.
struct BackgroundPlanner: ~Copyable {
  /// The state that the two threads hand to each other.
  ///
  /// SAFETY: a thread that has waited for one semaphore has exclusive access to the other fields
  /// until it signals the other semaphore.
  private final class Work: @unchecked Sendable {
    var builder: PlanBuilder
    var dataBlocks: DataBlockLedger
    /// The first duplicate found; later runs are not checked.
    var mappedTwice: MappedTwice?
    var batch = RunBatch(leafCount: BackgroundPlanner.batchLeafCount)
    /// True if no further batch will be given.
    var isEnd = false
    let given = Semaphore(0)
    let done = Semaphore(1)

    init(_ builder: PlanBuilder, _ dataBlocks: consuming DataBlockLedger) {
      self.builder = builder
      self.dataBlocks = dataBlocks
    }

    /// Adds the given batches until the end.
    func run() {
      while true {
        given.wait()
        guard !isEnd else { return }
        append(batch)
        done.signal()
      }
    }

    func append(_ batch: borrowing RunBatch) {
      guard mappedTwice == nil else { return }
      do throws(MappedTwice) {
        try dataBlocks.enter(batch.runs)
      } catch {
        mappedTwice = error
      }
      builder.append(batch)
    }
  }

  /// The number of leaves per batch: waking a thread can cost as much as adding up ten leaves.
  static let batchLeafCount = 256

  private let work: Work
  /// Nil where no thread could be created, and once the plan is finished.
  private var thread: SystemThread?

  init(
    _ builder: PlanBuilder, _ dataBlocks: consuming DataBlockLedger,
    stackByteCount: Int = 256 << 10
  ) {
    let work = Work(builder, dataBlocks)
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

  /// Takes the batch's runs, and leaves an empty batch for `batchLeafCount` leaves.
  ///
  /// - Returns: False where no more runs are wanted, since a data block is mapped twice.
  mutating func append(_ batch: inout RunBatch) -> Bool {
    guard thread != nil else {
      work.append(batch)
      batch.removeAll()
      return work.mappedTwice == nil
    }
    work.done.wait()
    let isWanted = work.mappedTwice == nil
    swap(&work.batch, &batch)
    work.given.signal()
    batch.removeAll()
    return isWanted
  }

  /// Returns the builder with all appended runs.
  ///
  /// - Throws: `MappedTwice` for the first data block that is mapped twice.
  consuming func finish() throws(MappedTwice) -> PlanBuilder {
    if let thread = thread.take() { Self.end(work, thread) }
    if let mappedTwice = work.mappedTwice { throw mappedTwice }
    return work.builder
  }

  private static func end(_ work: Work, _ thread: consuming SystemThread) {
    work.done.wait()
    work.isEnd = true
    work.given.signal()
    thread.join()
  }
}
