/// A merge that was agreed to.
///
/// Only from one can a ``RunningMerge`` be made.
struct ApprovedMerge: ~Copyable {
  let preparation: MergePreparation
  /// When the merge began, less the time that somebody took to answer.
  let begin: Duration

  fileprivate init(_ preparation: consuming MergePreparation, begin: Duration) {
    self.preparation = preparation
    self.begin = begin
  }
}

extension MergePreparation {
  /// Asks whether the merge may write.
  ///
  /// - `begin`: when the merge began.
  /// - Throws: `MergeError` (`refused`) after a no.
  consuming func approved(begin: Duration) throws(MergeError) -> ApprovedMerge {
    let asked = environment.clock.now()
    guard environment.observer.approve(report) else {
      throw MergeError.notApproved(request.originPath)
    }
    let answered = environment.clock.now()
    return ApprovedMerge(self, begin: begin + (answered - asked))
  }
}
