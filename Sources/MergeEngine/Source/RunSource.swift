/// Where the runs of mappings that are merged come from.
///
/// Runs rise and are maximal, and every pass yields the same ones or throws. The source has checked
/// them: a run ends below 2⁶³ bytes on the thin device, and lies on the data device. Who takes them
/// computes without looking for overflow.
package protocol RunSource: ~Copyable {
  /// Begins a later pass at the run that has `first`, or at the first one behind it.
  mutating func restart(from first: ThinBlock) throws(MergeError)

  /// Appends the runs of the next leaves, of at most so many and as far as the batch has room; false
  /// behind the last. A batch counts leaves, each of at most `BtreeNode.childCountMax` runs.
  ///
  /// There may be none although more follows. After a throw the batch is empty.
  ///
  /// Precondition: the batch is not full.
  mutating func next(
    _ batch: inout RunBatch, atMost leafCountMax: Int
  ) throws(MergeError) -> Bool
}
