internal import SystemPackage

/// Adds runs up to a plan on a thread of its own, and looks whether a data block is in two of them, while the
/// tree's next leaves are read and checked.
///
/// Where there is no thread to be had, it does so itself.
struct BackgroundPlanner: ~Copyable {
  /// What goes from one thread to the other and back.
  ///
  /// SAFETY: who has waited for one semaphore has the rest to himself until he signals the other.
  private final class Work: @unchecked Sendable {
    var builder: PlanBuilder
    var dataBlocks: DataBlockLedger
    /// The first that was found; what comes behind it is not looked at.
    var mappedTwice: MappedTwice?
    var batch = RunBatch(leafCount: BackgroundPlanner.batchLeafCount)
    /// That no batch was given, and none will be.
    var isEnd = false
    let given = Semaphore(0)
    let done = Semaphore(1)

    init(_ builder: PlanBuilder, _ dataBlocks: consuming DataBlockLedger) {
      self.builder = builder
      self.dataBlocks = dataBlocks
    }

    /// Adds up what is given, until the end.
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

  /// Leaves whose runs go over at once: waking a thread can cost as much as adding up ten.
  static let batchLeafCount = 256

  private let work: Work
  /// Nil where there was none to be had, and once the plan is finished.
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

  /// Takes over the batch's runs, and leaves an empty batch for `batchLeafCount` leaves.
  ///
  /// - Returns: False where no more is wanted: a data block was found to be mapped twice.
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

  /// The builder, with all that was appended.
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
