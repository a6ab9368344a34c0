extension Merger {
  /// What a merge would do; writes nothing. Without an origin nothing is said of ends and journal.
  public func plan(
    _ source: MergeSource, onto originPath: String?, extent: ExtentOptions,
    transfer: TransferOptions = TransferOptions()
  ) throws(MergeError) -> PlanReport {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
  /// Writes the device's blocks onto the origin, going on where an earlier run stopped.
  public func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions
  ) throws(MergeError) -> MergeReport {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
  /// Goes on with the merge that a journal tells of.
  public func resume(
    journalPath: String, options: ResumeOptions
  ) throws(MergeError) -> MergeReport {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
  /// Compares the origin with the source.
  public func verify(
    _ source: MergeSource, against originPath: String, extent: ExtentOptions,
    transfer: TransferOptions
  ) throws(MergeError) -> VerifyReport {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
  /// Compares the origin with the checksums in a journal; needs no pool.
  public func verify(
    journalPath: String, originPath: String?, transfer: TransferOptions
  ) throws(MergeError) -> VerifyReport {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
  /// How far the merge of a journal is.
  public func status(journalPath: String) throws(MergeError) -> StatusReport {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
  /// The thin devices in the metadata.
  public func devices(
    metadataPath: String, mappings: MergeSource.Mappings
  ) throws(MergeError) -> [ThinDevice] {
    throw MergeError(.bug, "not there yet", at: "", because: "")
  }
}
