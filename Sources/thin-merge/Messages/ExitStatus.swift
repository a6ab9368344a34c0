internal import MergeEngine

/// How the command ends, for the program that called it.
enum ExitStatus: Int32, CaseIterable, Sendable {
  /// All was done.
  case done = 0
  /// Comparing found differences.
  case different = 1
  /// Nothing was written to the origin.
  case refused = 2
  /// Stopped early; can be resumed, unless the error says otherwise.
  case stopped = 3
  /// The journal belongs to another, unfinished merge, or is damaged.
  case journalConflict = 4
  /// Somebody else uses what is needed.
  case busy = 5
  /// The command line makes no sense.
  case usage = 64
  /// A mistake in this program.
  case bug = 70
  /// All was done, and its report could not be written.
  case reportLost = 74

  /// The status that stands for a kind of failure.
  init(_ kind: MergeError.Kind) {
    self =
      switch kind {
      case .refused: .refused
      case .stopped: .stopped
      case .journalConflict: .journalConflict
      case .busy: .busy
      case .bug: .bug
      }
  }

  /// The status of a comparison.
  init(_ report: VerifyReport) {
    if report.differingByteCount > 0 {
      self = .different
    } else if let incomplete = report.incomplete {
      self = incomplete.kind == .bug ? .bug : .stopped
    } else {
      self = report.unreadable.isEmpty ? .done : .stopped
    }
  }

  /// The status of a merge.
  init(_ report: MergeReport) {
    switch report.state {
    case .finished:
      let verified = report.verification.map { ExitStatus($0) } ?? .done
      if case .stopped(let error) = report.handover, verified == .done {
        // After a no nothing was tried.
        self =
          error.code == .notApproved ? .refused : error.kind == .bug ? .bug : .stopped
      } else {
        self = verified == .done && !report.cleanupFailures.isEmpty ? .stopped : verified
      }
    case .stopped(let error): self = error.kind == .bug ? .bug : .stopped
    }
  }
}
