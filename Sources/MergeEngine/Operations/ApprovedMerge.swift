/// An approved merge, from which alone a ``RunningMerge`` can be created.
struct ApprovedMerge: ~Copyable {
  let preparation: MergePreparation
  /// The start of the merge, moved forward by the time that the answer took.
  let begin: Duration

  fileprivate init(_ preparation: consuming MergePreparation, begin: Duration) {
    self.preparation = preparation
    self.begin = begin
  }
}

extension MergePreparation {
  /// Asks for approval of the merge.
  ///
  /// - `begin`: the start of the merge.
  /// - Throws: `MergeError` (`refused`) if the answer is no.
  consuming func approved(begin: Duration) throws(MergeError) -> ApprovedMerge {
    let asked = environment.clock.now()
    guard environment.observer.approve(report) else {
      throw MergeError.notApproved(request.originPath)
    }
    let answered = environment.clock.now()
    return ApprovedMerge(self, begin: begin + (answered - asked))
  }
}
