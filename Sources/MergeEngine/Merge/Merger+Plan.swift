extension Merger {
  /// What a merge would do; writes nothing.
  ///
  /// Without an origin nothing is said of its end and of the journal.
  ///
  /// - Throws: `MergeError`: `refused` for whatever a merge would refuse, `stopped` on a signal.
  public func plan(
    _ source: MergeSource, onto originPath: String?, extent: ExtentOptions,
    transfer: TransferOptions = TransferOptions(), journalPath: String? = nil
  ) throws(MergeError) -> PlanReport {
    try whileHeld(source) { (source) throws(MergeError) in
      try plan(source, originPath, extent, transfer, journalPath)
    }
  }

  private func plan(
    _ source: MergeSource, _ originPath: String?, _ extent: ExtentOptions,
    _ transfer: TransferOptions, _ journalPath: String?
  ) throws(MergeError) -> PlanReport {
    let devices = try Devices(source, originPath: originPath, writing: nil)
    let ioByteCount = ioByteCount(transfer, devices)
    let planned = try plan(source, on: devices, extent: extent, ioByteCount: ioByteCount)
    let place = devices.origin.map {
      journalPath
        ?? JournalFile.place(
          of: $0, identity: DeviceIdentity($0), stateFolder: environment.stateFolder)
    }
    if let place { noteWhatMergeRefuses(source, originPath, journalPath: place) }
    return planned.report(
      originByteCount: devices.origin?.byteCount, journalPath: place, ioByteCount: ioByteCount)
  }

  /// A plan may be looked at while the origin is in use; merging has to wait.
  private func noteWhatMergeRefuses(
    _ source: MergeSource, _ originPath: String?, journalPath: String
  ) {
    do throws(MergeError) {
      let devices = try Devices(source, originPath: originPath, writing: .exclusive)
      try checkJournalPlace(journalPath, devices)
    } catch {
      environment.observer.note("a merge would be refused now: \(error.message)")
    }
  }
}
