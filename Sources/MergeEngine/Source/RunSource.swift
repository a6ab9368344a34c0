/// A source that yields the mapping runs to merge.
///
/// Runs are yielded in ascending order, each as long as possible. Every pass yields the same runs
/// or throws. The source has checked that each run ends below 2⁶³ bytes on the thin device and lies
/// within the data device, so callers do not check for overflow.
package protocol RunSource: ~Copyable {
  /// Starts another pass over the runs, beginning at the thin block `first`.
  ///
  /// The pass may also yield runs before `first`. If a run contains `first`, the blocks before
  /// `first` may be missing from it.
  mutating func restart(from first: ThinBlock) throws(MergeError)

  /// Appends the runs of the next leaves, up to `leafCountMax` leaves or until the batch is full.
  ///
  /// The size of a batch is counted in leaves, each with at most `BtreeNode.childCountMax` runs. A
  /// call may append no runs even if more follow. If the call throws, the batch is left empty.
  ///
  /// - Precondition: The batch is not full.
  /// - Returns: False once there are no more leaves.
  mutating func next(
    _ batch: inout RunBatch, atMost leafCountMax: Int
  ) throws(MergeError) -> Bool
}
