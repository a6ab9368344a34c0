import MergeEngine

/// Explains why a merge was not started.
func advice(on error: MergeError) -> String {
  let advice =
    switch error.kind {
    case .refused: "nothing was written; fix the cause first"
    case .busy: "nothing was written; try again later"
    case .journalConflict: "nothing was written; the journal does not match the devices"
    case .stopped: "stopped before anything was written; run it again"
    case .bug: "a bug in the engine"
    }
  return "\(error.message)\n\(advice)" + (error.hint.map { "\nhint: \($0)" } ?? "")
}

/// Returns the exit status for an error, which is the same as that of `thin-merge`.
func exitStatus(of error: MergeError) -> Int32 {
  switch error.kind {
  case .refused: 2
  case .stopped: 3
  case .journalConflict: 4
  case .busy: 5
  case .bug: 70
  }
}
