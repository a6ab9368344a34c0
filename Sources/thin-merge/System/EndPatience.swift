internal import MergeEngine

/// How long the command waits at its end for readers who take nothing.
///
/// Nothing is held any more by then. A pager may be read for hours; whoever asked the command to stop has not got that
/// patience.
enum EndPatience {
  /// For error reports, which are not to be lost where they can be written.
  private static let forErrors = Duration.seconds(60)
  /// For progress and notes.
  private static let forNotes = Duration.seconds(1)
  /// For anything, once the command was asked to stop.
  private static let whenStopping = Duration.seconds(5)

  /// What `StreamWriter` asks while standard error is not read.
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

  /// What `StreamWriter` asks while standard output is not read.
  static func ofReports(
    isStopping: @escaping () -> Bool = { Signals.interruption.isRequested }
  ) -> (Duration) -> Bool {
    let wasStopping = isStopping()
    return { time in
      wasStopping == isStopping() && (!wasStopping || time < whenStopping)
    }
  }
}
