/// A merge that has been approved; only such a merge can become a ``RunningMerge``.
struct ApprovedMerge: ~Copyable {
  let preparation: MergePreparation
  /// The time at which the merge started, moved forward by the time spent waiting for approval.
  let begin: Duration

  fileprivate init(_ preparation: consuming MergePreparation, begin: Duration) {
    self.preparation = preparation
    self.begin = begin
  }
}

extension MergePreparation {
  /// Asks the observer to approve the merge.
  ///
  /// - `begin`: the time at which the merge started.
  /// - Throws: `MergeError` (`refused`) if the merge is not approved.
  consuming func approved(begin: Duration) throws(MergeError) -> ApprovedMerge {
    let asked = environment.clock.now()
    guard environment.observer.approve(report) else {
      throw MergeError.notApproved(request.originPath)
    }
    let answered = environment.clock.now()
    return ApprovedMerge(self, begin: begin + (answered - asked))
  }
}
