internal import MergeEngine

/// The exit status of the command.
enum ExitStatus: Int32, CaseIterable, Sendable {
  /// The command completed successfully.
  case done = 0
  /// A comparison found differences.
  case different = 1
  /// Nothing was written to the origin.
  case refused = 2
  /// The command stopped early; it can be resumed, unless the error rules that out.
  case stopped = 3
  /// The journal belongs to another, unfinished merge, or is corrupt.
  case journalConflict = 4
  /// Another process uses a device or file that the command needs.
  case busy = 5
  /// The command line is invalid.
  case usage = 64
  /// A bug in this program.
  case bug = 70
  /// The command did its work, but the report could not be written.
  case reportLost = 74

  /// Creates the status for a kind of failure.
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

  /// Creates the status for the result of a comparison.
  init(_ report: VerifyReport) {
    if report.differingByteCount > 0 {
      self = .different
    } else if let incomplete = report.incomplete {
      self = incomplete.kind == .bug ? .bug : .stopped
    } else {
      self = report.unreadable.isEmpty ? .done : .stopped
    }
  }

  /// Creates the status for the result of a merge.
  init(_ report: MergeReport) {
    switch report.state {
    case .finished:
      let verified = report.verification.map { ExitStatus($0) } ?? .done
      if case .stopped(let error) = report.handover, verified == .done {
        // If the answer was no, nothing was attempted.
        self =
          error.code == .notApproved ? .refused : error.kind == .bug ? .bug : .stopped
      } else {
        self = verified == .done && !report.cleanupFailures.isEmpty ? .stopped : verified
      }
    case .stopped(let error): self = error.kind == .bug ? .bug : .stopped
    }
  }
}
