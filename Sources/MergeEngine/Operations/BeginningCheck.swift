/// The final checks of an approved merge, made before anything is changed. Planning a merge makes
/// them too.
extension MergePreparation {
  /// Checks that there is enough disk space for the origin and the journal, allocates memory and
  /// I/O requests, and checks that the origin contains the data that earlier runs recorded.
  ///
  /// - Returns: The I/O queue for the data device and the origin, which is open for reading.
  /// - Throws: `MergeError`: `refused` or `journalConflict` if a check fails, `stopped` if a check
  ///   was interrupted.
  func readyQueue() throws(MergeError) -> LinuxAIO {
    try checkRoom()
    var queue = try takenQueue()
    try checkRecorded(&queue)
    return queue
  }

  /// Repeats the checks for a new plan, and allocates more memory only if that plan needs it.
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
    // If a thin device is written to before its snapshot is created, the merge is planned again,
    // and transfers of the new plan can be as large as the I/O size.
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
