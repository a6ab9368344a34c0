/// One execution with pool metadata, which does what `plan`, `merge` and `devices` do with
/// metadata, but reads no data.
package struct MetadataCase {
  /// The maximum number of transfers checked in one pass, because a few blocks can contain
  /// millions.
  private static let transferCountMax = 2000

  private let memory: FuzzMemory
  private let control = RunControl(
    clock: Clock(now: { .zero }, sleep: { _ in }), interruption: Interruption(), report: { _ in })

  package init(_ memory: FuzzMemory) { self.memory = memory }

  /// Runs the input, and stops the process if any invariant is violated.
  ///
  /// - Returns: True if the metadata was accepted.
  @discardableResult
  package func run(_ bytes: [UInt8]) -> Bool {
    let input = MetadataInput(decoding: bytes)
    input.expand(into: memory)
    if input.choices.listsDevices { listDevices(input) }
    do throws(MergeError) {
      try plan(input)
      return true
    } catch {
      Finding.unless(error.kind == .refused, "planning fails with \(error)")
      return false
    }
  }

  private func manner(_ input: MetadataInput) -> FuzzQueue.Manner {
    memory.beginReading()
    return FuzzQueue.Manner(
      target: .metadata, deviceByteCount: deviceByteCount(input),
      requestCountMax: input.choices.requestCountMax, order: input.choices.order,
      failing: input.choices.failing, short: input.choices.short)
  }

  private func deviceByteCount(_ input: MetadataInput) -> UInt64 {
    UInt64(memory.mediumByteCount)
      + input.choices.extraBlockCount * UInt64(BlockKind.blockByteCount)
  }

  private func mappings(_ input: MetadataInput) -> MergeSource.Mappings {
    input.choices.isInactive ? .inactivePool : .metadataSnapshot(block: nil)
  }

  private func listDevices(_ input: MetadataInput) {
    do throws(MergeError) {
      var io = FuzzQueue(memory, manner(input))
      let pool = try PoolMetadata(
        path: "metadata", byteCount: { deviceByteCount(input) }, mappings: mappings(input),
        ignoresNeedsCheck: input.choices.ignoresNeedsCheck, &io)
      var ledger = try NodeLedger(metadataBlockCount: pool.live.metadataBlockCount)
      var ids: [UInt32] = []
      let table: DeviceTrees
      do throws(MetadataFault) {
        table = try DeviceTrees(pool.superblock, bounds: pool.bounds, wanted: nil, &io, &ledger) {
          id, _, _ in ids.append(id)
        }
      } catch {
        throw error.refusal(path: "metadata")
      }
      Finding.unless(zip(ids, ids.dropFirst()).allSatisfy(<), "the listed devices do not rise")
      guard table.otherFaults.isEmpty else { return }
      Finding.unless(UInt64(ids.count) == table.deviceCount, "not every device is listed")
      let model = MetadataModel(memory).entries(
        root: pool.superblock.mappingRoot.rawValue, leafValueByteCount: 8)
      Finding.unless(model?.map(\.key) == ids.map(UInt64.init), "other devices than the model's")
    } catch {
      Finding.unless(error.kind == .refused, "listing fails with \(error)")
    }
  }

  private func plan(_ input: MetadataInput) throws(MergeError) {
    let choices = input.choices
    let extent = MergeExtent(
      originByteCount: choices.hasOrigin ? choices.originByteCount : nil,
      options: ExtentOptions(thinByteCount: choices.thinByteCount, pastEnd: choices.pastEnd))
    let request = PlanRequest(
      source: MergeSource(
        metadataPath: "metadata", dataPath: "data", deviceID: choices.deviceID,
        mappings: mappings(input), ignoresNeedsCheck: choices.ignoresNeedsCheck),
      metadataByteCount: { deviceByteCount(input) }, dataByteCount: UInt64(Int64.max),
      originPath: choices.hasOrigin ? "origin" : nil, extent: extent,
      ioByteCount: choices.ioByteCount)
    let planned = try CheckedPlan(
      request, metadata: FuzzQueue(memory, manner(input)), control: control)
    let plan = planned.plan
    guard let runs = MetadataModel(memory).runs(root: planned.mappingRoot.rawValue) else {
      Finding.stop("mappings are accepted that are no tree")
    }
    check(runs, dataBlockCount: planned.pool.live.dataBlockCount)
    check(plan, planned.details, runs, extent)

    let cuts = TransferCuts(
      ioByteCount: choices.ioByteCount, endByteOffset: plan.endByteOffset, alignmentByteCount: 512)
    let stream = planned.segments(cuts: cuts)
    try stream.restart(from: 0)
    let expected = segments(runs, plan, from: 0)
    try checkTransfers(stream, plan, expected)
    let changed = try change(input)
    // This is computed with 128 bits because an end can have up to 63 bits.
    let product = plan.endByteOffset.multipliedFullWidth(by: choices.restart)
    let start = (256 as UInt64).dividingFullWidth(product).quotient
    do throws(MergeError) {
      try stream.restart(from: start)
      try checkSegments(stream, segments(runs, plan, from: start))
    } catch {
      let fails = input.choices.failing > 0 || input.choices.short > 0
      Finding.unless(changed || fails, "the same tree is not accepted again: \(error)")
      throw error
    }
  }

  /// Changes a block between passes; returns true if the input has a block to change.
  private func change(_ input: MetadataInput) throws(MergeError) -> Bool {
    guard let block = input.choices.changedBlock, block < input.blocks.count else { return false }
    let byteOffset = block * BlockKind.blockByteCount + BtreeNode.headerByteCount + 8
    let old = memory.number(at: byteOffset, as: UInt64.self)
    memory.write(old &+ 1, at: byteOffset)
    MetadataInput.repairChecksum(
      of: block, isSuperblock: input.blocks[block].isSuperblock, memory)
    return true
  }

  private func check(_ runs: [MappingRun], dataBlockCount: UInt64) {
    var end: UInt64 = 0
    for run in runs {
      Finding.unless(run.thinBlock.rawValue >= end, "mappings do not rise")
      end = run.thinBlock.rawValue + run.blockCount
    }
    var dataEnd: UInt64 = 0
    for run in runs.sorted(by: { $0.dataBlock < $1.dataBlock }) {
      Finding.unless(run.dataBlock.rawValue >= dataEnd, "a data block is mapped twice")
      dataEnd = run.dataBlock.rawValue + run.blockCount
    }
    Finding.unless(dataEnd <= dataBlockCount, "a mapping leads behind the data device")
  }

  private func check(
    _ plan: MergePlan, _ details: DeviceDetails, _ runs: [MappingRun], _ extent: MergeExtent
  ) {
    let blockCount = runs.reduce(0) { $0 + $1.blockCount }
    Finding.unless(blockCount == details.mappedBlockCount, "another count than the details'")
    Finding.unless(blockCount == plan.mappedBlockCount, "another count than the plan's")
    Finding.unless(plan.runCount == UInt64(runs.count), "runs are not maximal, or not all there")
    let lastEnd = runs.last.map {
      ($0.thinBlock.rawValue + $0.blockCount) * plan.dataBlockByteCount
    }
    Finding.unless(
      plan.endByteOffset == extent.endByteOffset(lastMappingEnd: lastEnd ?? 0),
      "the effective end is \(plan.endByteOffset)")
    var fingerprint = FingerprintBuilder()
    fingerprint.append(runs.span)
    let expected = fingerprint.finish(
      dataBlockByteCount: plan.dataBlockByteCount, deviceID: plan.deviceID,
      endByteOffset: plan.endByteOffset, pastEnd: extent.pastEnd)
    Finding.unless(plan.fingerprint == expected, "another fingerprint than that of the runs")
  }

  /// Returns the segments expected from a pass that begins at `start`: one for each run that is not
  /// skipped.
  private func segments(
    _ runs: [MappingRun], _ plan: MergePlan, from start: UInt64
  ) -> [Segment] {
    runs.compactMap { run in
      let runStart = run.thinBlock.rawValue * plan.dataBlockByteCount
      let end = min(runStart + run.blockCount * plan.dataBlockByteCount, plan.endByteOffset)
      let first = max(runStart, start)
      guard first < end else { return nil }
      return Segment(
        dataByteOffset: run.dataBlock.rawValue * plan.dataBlockByteCount + (first - runStart),
        targetByteOffset: first, byteCount: end - first)
    }
  }

  private func checkSegments(
    _ stream: SegmentStream<WholeDevice<FuzzQueue>>, _ expected: [Segment]
  ) throws(MergeError) {
    var pieces = expected[...]
    while let segment = try stream.peek() {
      // A later pass may begin in the middle of a run, but must not split one anywhere else.
      Finding.unless(pieces.popFirst() == segment, "a later pass gives another \(segment)")
      stream.take(segment.byteCount)
    }
    Finding.unless(pieces.isEmpty, "a later pass gives less")
  }

  private func checkTransfers(
    _ stream: SegmentStream<WholeDevice<FuzzQueue>>, _ plan: MergePlan, _ expected: [Segment]
  ) throws(MergeError) {
    Finding.unless(
      expected.reduce(0) { $0 + $1.byteCount } == plan.byteCount, "the plan's bytes are not its sum"
    )
    var feed = PlannedTransfers(stream)
    var transfer = Transfer()
    var count: UInt64 = 0
    var byteCount: UInt64 = 0
    var end: UInt64 = 0
    var pieces = expected[...]
    while count < Self.transferCountMax, try feed.next(&transfer) {
      count += 1
      byteCount += transfer.byteCount
      Finding.unless(transfer.start >= end && transfer.byteCount > 0, "transfers do not rise")
      Finding.unless(
        transfer.byteCount <= plan.transferByteCountMax,
        "a transfer of \(transfer.byteCount) bytes; the plan's largest has "
          + "\(plan.transferByteCountMax)")
      Finding.unless(
        transfer.end <= stream.cuts.cut(after: transfer.start), "a transfer crosses a cut")
      end = transfer.end
      for segment in transfer.segments { take(segment, &pieces) }
    }
    guard count < Self.transferCountMax else { return }
    Finding.unless(pieces.isEmpty && byteCount == plan.byteCount, "the transfers are not the plan")
    Finding.unless(
      count <= plan.transferCount, "\(count) transfers; the plan has \(plan.transferCount)")
  }

  /// Removes a transfer's segment from the front of the expected segments; stops the process if
  /// they do not match.
  private func take(_ segment: Segment, _ pieces: inout ArraySlice<Segment>) {
    guard var first = pieces.popFirst() else { Finding.stop("more is transferred than planned") }
    Finding.unless(
      first.targetByteOffset == segment.targetByteOffset
        && first.dataByteOffset == segment.dataByteOffset && segment.byteCount <= first.byteCount,
      "\(segment) is transferred; \(first) is expected")
    guard segment.byteCount < first.byteCount else { return }
    first.targetByteOffset += segment.byteCount
    first.dataByteOffset += segment.byteCount
    first.byteCount -= segment.byteCount
    pieces.insert(first, at: pieces.startIndex)
  }
}
