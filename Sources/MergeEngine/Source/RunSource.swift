/// A source of the mapping runs to merge.
///
/// Runs ascend and are maximal, and every pass yields the same runs or throws. The source has
/// checked them: a run ends below 2⁶³ bytes on the thin device, and lies on the data device.
/// Callers compute without checks for overflow.
package protocol RunSource: ~Copyable {
  /// Starts a later pass from `first`.
  ///
  /// Runs before `first` may be yielded too, and a run that contains `first` may lack earlier
  /// blocks.
  mutating func restart(from first: ThinBlock) throws(MergeError)

  /// Appends the runs of the next leaves, at most `leafCountMax` of them and as far as the batch
  /// has room.
  ///
  /// A batch counts leaves, each of at most `BtreeNode.childCountMax` runs. A call may append no
  /// runs although more follow. After a throw the batch is empty.
  ///
  /// - Precondition: The batch is not full.
  /// - Returns: False after the last leaf.
  mutating func next(
    _ batch: inout RunBatch, atMost leafCountMax: Int
  ) throws(MergeError) -> Bool
}
