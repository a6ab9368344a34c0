/// A merge of scattered blocks between real files, of which parts can be left out to see what they cost.
///
/// Queue, slab, shape and loop are the product's; there is no metadata, and of a journal only the
/// checkpoints.
package struct PartsMerge: ~Copyable {
  /// What is merged and how.
  package struct Setting {
    package var dataPath, originPath, journalPath: String
    package var transferCount: UInt64
    /// Blocks of the origin that are left out behind each transfer.
    package var gapBlockCount: UInt64 = 1
    package var seed: UInt64
    package var transfer = TransferOptions()
    package var checkpointInterval = Duration.seconds(5)

    package init(
      dataPath: String, originPath: String, journalPath: String, transferCount: UInt64, seed: UInt64
    ) {
      self.dataPath = dataPath
      self.originPath = originPath
      self.journalPath = journalPath
      self.transferCount = transferCount
      self.seed = seed
    }
  }

  private static let journalHeader = Array("bench-parts".utf8)

  private let setting: Setting
  private let clock: Clock
  private let journal: OpenFile
  private let shape: PipelineShape
  private let checkpointsByteOffset: Int
  private var io: LinuxAIO

  /// Opens the files and makes the journal.
  ///
  /// - Throws: `MergeError` where a file is in use, or too short for so many transfers.
  package init(_ setting: Setting, clock: Clock, processID: Int32) throws(MergeError) {
    let data = try OpenFile(setting.dataPath, role: "data", access: .readOnly)
    let origin = try OpenFile(
      setting.originPath, role: "origin", access: .readWrite, exclusive: true)
    let blockByteCount = ScatteredFeed.blockByteCount
    let originByteCount = setting.transferCount * (1 + setting.gapBlockCount) * blockByteCount
    for (file, needed) in [
      (data, setting.transferCount * blockByteCount), (origin, originByteCount),
    ] where file.byteCount < needed {
      throw MergeError(
        .refused, "too short", at: file.path,
        because: "it has \(file.byteCount) bytes, \(needed) are needed")
    }
    let depth = setting.transfer.queueDepth
    let slabByteCount = PipelineShape.slabByteCount(
      depth: depth, ioByteCount: setting.transfer.ioByteCount, largest: blockByteCount)
    let journal = try JournalFile.make(
      setting.journalPath, header: Self.journalHeader, processID: processID)
    try JournalFile.allocate(
      journal,
      byteCount: JournalSize.byteCountMax(
        transferCount: setting.transferCount, endByteOffset: originByteCount,
        ioByteCount: setting.transfer.ioByteCount))
    let io = try LinuxAIO(
      requestCount: depth + PipelineShape.recordRequestCount,
      slabByteCount: slabByteCount + Checkpointer.slabByteCount,
      files: [.data: data, .target: origin, .journal: journal], clock: clock)
    shape = PipelineShape(
      depth: depth, slabByteCount: slabByteCount, transferByteCountMax: blockByteCount,
      readsBothSides: false, dataBlockByteCount: blockByteCount,
      dataAlignmentByteCount: data.alignmentByteCount,
      targetAlignmentByteCount: origin.alignmentByteCount, tailByteOffset: originByteCount,
      rateLimit: nil)
    self.setting = setting
    self.clock = clock
    self.journal = journal
    self.io = io
    checkpointsByteOffset = slabByteCount
  }

  /// Merges, and makes the origin durable.
  ///
  /// - Returns: Bytes written to the origin.
  package mutating func run(checksums: Bool, checkpoints: Bool) throws(MergeError) -> UInt64 {
    switch (checksums, checkpoints) {
    case (true, true): try run(CopyStep(), self.checkpoints())
    case (true, false): try run(CopyStep(), NoLedger())
    case (false, true): try run(UncheckedStep(), self.checkpoints())
    case (false, false): try run(UncheckedStep(), NoLedger())
    }
  }

  /// Removes the journal.
  package consuming func end() throws(MergeError) { try JournalFile.remove(journal) }

  private mutating func run<
    Work: TransferStep & ~Copyable, Record: TransferLedger & ~Copyable
  >(_ work: consuming Work, _ record: consuming Record) throws(MergeError) -> UInt64 {
    var work = work
    var record = record
    var feed = ScatteredFeed(
      transferCount: setting.transferCount, segmentCount: 1, gapBlockCount: setting.gapBlockCount,
      seed: setting.seed)
    var pipeline = Pipeline<Work>(shape, targetPath: setting.originPath)
    let end = pipeline.run(
      &io, feed: &feed, work: &work, record: &record,
      control: RunControl(clock: clock, interruption: Interruption(), report: { _ in }),
      progress: .init(
        phase: .merging, doneByteCount: 0, totalByteCount: 0, earlierByteCount: 0, elapsed: .zero,
        readsInFlight: 0, writesInFlight: 0))
    if case .failed(let error) = end { throw error }
    guard io.perform(IORequest(.flush, .target, tag: 0)) == 0, pipeline.unreadable.isEmpty else {
      throw MergeError(
        .stopped, "the merge failed", at: setting.originPath,
        because: "the origin could not be flushed, or the data not be read")
    }
    return pipeline.writtenByteCount
  }

  private func checkpoints() -> Checkpointer {
    var record = Checkpointer(
      journal: JournalEncoder(
        endByteOffset: UInt64(Self.journalHeader.count), nextSequence: 1, headerChecksum: 0,
        dataBlockByteCount: ScatteredFeed.blockByteCount),
      watermark: 0, nextSweep: 1, interval: setting.checkpointInterval,
      slabByteOffset: checkpointsByteOffset, targetPath: setting.originPath,
      journalPath: setting.journalPath, now: clock.now(), secondsSince1970: { 0 })
    record.beginSweep(.merge)
    return record
  }
}
