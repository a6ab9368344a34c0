/// What a merge looks at after its question, looked at without changing anything.
extension MergePreparation {
  /// Returns what ``RunningMerge`` would be refused for, as far as that is known before something is written.
  ///
  /// - Throws: `MergeError` (`stopped`) where it was interrupted.
  consuming func refusalOfBeginning() throws(MergeError) -> MergeError? {
    let environment = environment
    do throws(MergeError) {
      try checkCanBegin()
      return nil
    } catch {
      guard !environment.interruption.isRequested else { throw error }
      return error
    }
  }

  private consuming func checkCanBegin() throws(MergeError) {
    let found = slot.journalOfSameMerge
    if let found { try JournalFile.checkCanBeAppended(found.file) }
    guard finishedJournal == nil else { return }
    let (options, data) = (request.options, devices.data)
    let (journalPath, report) = (planned.journalPath, planned.report)
    let planned = planned.plan
    let plan = planned.plan
    let stream = planned.segments(
      cuts: TransferCuts(
        ioByteCount: options.transfer.ioByteCount, endByteOffset: plan.endByteOffset,
        alignmentByteCount: origin.alignmentByteCount))
    try TargetHoles(origin, interruption: environment.interruption).checkRoom(
      under: stream, from: found?.state.watermark ?? 0)
    let largest = max(plan.transferByteCountMax, found?.state.entryByteCountMax ?? 0)
    let io = try environment.transferQueue(
      depth: options.transfer.queueDepth,
      slabByteCount: MergeConfiguration.slabByteCount(options.transfer, largest: largest),
      files: [.data: data, .target: origin])
    guard let found else { return }
    try environment.journals.checkRoom(
      for: found, byteCountMax: report.journalByteCountMax)
    var sweeps = MergeSweeps(
      MergeConfiguration(
        plan, request, stream.cuts, data: data, target: origin, journalPath: journalPath,
        state: found.state),
      stream, io: io, journal: found.encoder,
      checkpointInterval: options.checkpointIntervalInRange, control: environment.control,
      secondsSince1970: environment.secondsSince1970)
    try sweeps.checkTarget(recorded: try environment.journals.reader(found.file))
  }
}
