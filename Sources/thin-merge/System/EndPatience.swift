internal import MergeEngine

/// The time that the command, before it exits, waits for readers that accept no output.
///
/// All locks have been released by then. A pager may stay open for hours, but a user who asked the
/// command to stop does not want to wait that long.
enum EndPatience {
  /// The time limit for error messages, which must not be lost if they can be written.
  private static let forErrors = Duration.seconds(60)
  /// The time limit for progress and notes.
  private static let forNotes = Duration.seconds(1)
  /// The time limit for all text once the command has been asked to stop.
  private static let whenStopping = Duration.seconds(5)

  /// Returns the condition under which `StreamWriter` keeps waiting for a reader of standard error.
  static func ofErrors(
    _ stream: StreamWriter = StandardStream.error,
    isStopping: @escaping () -> Bool = { Signals.interruption.isRequested }
  ) -> (Duration) -> Bool {
    let wasStopping = isStopping()
    return { time in
      guard wasStopping == isStopping() else { return false }
      guard stream.hasIndispensable else { return time < forNotes }
      return time < (wasStopping ? whenStopping : forErrors)
    }
  }

  /// Returns the condition under which `StreamWriter` keeps waiting for a reader of standard
  /// output.
  static func ofReports(
    isStopping: @escaping () -> Bool = { Signals.interruption.isRequested }
  ) -> (Duration) -> Bool {
    let wasStopping = isStopping()
    return { time in
      wasStopping == isStopping() && (!wasStopping || time < whenStopping)
    }
  }
}
