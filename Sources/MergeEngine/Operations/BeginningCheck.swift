/// The last checks of an approved merge, made before anything is changed; planning makes them too.
extension MergePreparation {
  /// Checks that the origin and the journal have room, allocates memory and requests, and checks
  /// that the origin has the data that earlier runs recorded.
  ///
  /// - Returns: The queue on data device and origin; the origin is open for reading.
  /// - Throws: `MergeError` (`refused`, `journalConflict`), also `stopped` if the check was
  ///   interrupted.
  func readyQueue() throws(MergeError) -> LinuxAIO {
    try checkRoom()
    var queue = try takenQueue()
    try checkRecorded(&queue)
    return queue
  }

  /// Repeats the checks for a new plan, and allocates more memory only where that plan needs it.
  func readyAgain(_ queue: inout LinuxAIO) throws(MergeError) {
    try checkRoom()
    if queue.slabByteCount < slabByteCount { queue = try takenQueue() }
    try checkRecorded(&queue)
  }

  private func checkRoom() throws(MergeError) {
    let found = slot.journalOfSameMerge
    try TargetHoles(origin, interruption: environment.interruption).checkRoom(
      under: planned.segments, from: found?.state.watermark ?? 0)
    guard let found else { return }
    try environment.journals.checkRoom(
      for: found, byteCountMax: planned.report.journalByteCountMax)
  }

  private var slabByteCount: Int {
    let transfer = request.options.transfer
    let recorded = slot.journalOfSameMerge?.state.entryByteCountMax ?? 0
    // A thin device that is written to until its snapshot is created is planned again, with
    // transfers of any size.
    let planned =
      quiescence?.changesThinDevice == true
      ? transfer.ioByteCount : planned.plan.transferByteCountMax
    return MergeConfiguration.slabByteCount(transfer, largest: max(planned, recorded))
  }

  private func takenQueue() throws(MergeError) -> LinuxAIO {
    try environment.transferQueue(
      depth: request.options.transfer.queueDepth, slabByteCount: slabByteCount,
      files: [.data: devices.data, .target: origin])
  }

  private func checkRecorded(_ queue: inout LinuxAIO) throws(MergeError) {
    guard let found = slot.journalOfSameMerge else { return }
    let configuration = MergeConfiguration(
      planned, request, data: devices.data, recorded: found.header,
      target: origin, state: found.state)
    try configuration.checkTarget(
      recorded: try environment.journals.reader(found.file), planned.segments, &queue,
      environment.control())
  }
}
