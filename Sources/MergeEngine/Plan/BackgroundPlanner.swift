internal import SystemPackage

/// Adds runs to a plan and finds data blocks that are mapped twice, on a separate thread, while the
/// tree's next leaves are read and checked.
///
/// If no thread can be created, the planner does the work on the caller's thread.
struct BackgroundPlanner: ~Copyable {
  /// The state that the two threads hand back and forth.
  ///
  /// SAFETY: a thread that has waited for one semaphore has exclusive access to the other fields
  /// until it signals the other semaphore.
  private final class Work: @unchecked Sendable {
    var builder: PlanBuilder
    var dataBlocks: DataBlockLedger
    /// The first data block found to be mapped twice; runs added later are ignored.
    var mappedTwice: MappedTwice?
    var batch = RunBatch(leafCount: BackgroundPlanner.batchLeafCount)
    /// True if no more batches will be supplied.
    var isEnd = false
    let given = Semaphore(0)
    let done = Semaphore(1)

    init(_ builder: PlanBuilder, _ dataBlocks: consuming DataBlockLedger) {
      self.builder = builder
      self.dataBlocks = dataBlocks
    }

    /// Adds the supplied batches until there are no more.
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

  /// The number of leaves per batch, chosen because waking a thread can cost as much as processing
  /// ten leaves.
  static let batchLeafCount = 256

  private let work: Work
  /// The background thread; nil if no thread could be created, or once the plan is finished.
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

  /// Takes the runs in `batch`, and leaves an empty batch with room for `batchLeafCount` leaves.
  ///
  /// - Returns: False if no more runs are wanted, because a data block is mapped twice.
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

  /// Waits for the work to finish, and returns the builder with all appended runs.
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
