import MergeEngine

/// Prints the progress of a merge.
struct PrintedProgress: MergeObserver {
  func note(_ note: MergeNote) { print("note: \(note.text)") }

  func progress(_ progress: MergeProgress) {
    print("\(progress.phase): \(progress.doneByteCount) of \(progress.totalByteCount) bytes")
  }

  func approve(_ plan: PlanReport) -> Bool {
    print("\(plan.byteCount) bytes in \(plan.runCount) runs will be written")
    return true
  }
}
