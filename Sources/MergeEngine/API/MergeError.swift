/// Why a verb did not do what it was asked, in words for the person who asked.
///
/// Programs go by the ``kind``; the words may change from version to version.
public struct MergeError: Error, Equatable, Sendable {
  /// What the failure means for the origin and for trying again.
  public enum Kind: Sendable {
    /// Nothing was written: bad metadata, sizes that do not fit, an unsafe target. The same call ends the
    /// same way until something is changed.
    case refused
    /// It stopped early, on an error of a device or on request; a merge can be resumed.
    case stopped
    /// Nothing was written: the journal belongs to another, unfinished merge, or is damaged; the merge is
    /// finished and source or origin were written to since; or the origin holds nearly nothing of what an
    /// unfinished merge recorded.
    case journalConflict
    /// Somebody else uses what is needed, or, of a merge that is resumed, it is not there (yet); nothing was
    /// written, try again later.
    case busy
    /// A mistake in the engine.
    case bug
  }

  /// What the failure means.
  public var kind: Kind
  /// What could not be done.
  public var what: String
  /// The file, device or block that it is about.
  public var place: String
  /// Why, and what was expected.
  public var why: String
  /// What the reader can do about it, often in terms of the command; nil where there is nothing to say.
  public var hint: String?

  /// Describes a failure.
  package init(
    _ kind: Kind, _ what: String, at place: String, because why: String, hint: String? = nil
  ) {
    self.kind = kind
    self.what = what
    self.place = place
    self.why = why
    self.hint = hint
  }

  /// The whole sentence: what, where, why.
  public var message: String { "\(what), \(place): \(why)" }

  /// The same failure, with something else to do about it.
  func hinting(_ hint: String) -> MergeError {
    var error = self
    error.hint = hint
    return error
  }

  /// The same failure, met after the origin was first written to.
  package func afterFirstWrite() -> MergeError {
    var error = self
    switch kind {
    case .refused: error.kind = .stopped
    case .journalConflict:
      // It was sound when the run began: the next run finds out whether it still is.
      error.kind = .stopped
      error.hint = nil
    case .stopped, .busy, .bug: break
    }
    return error
  }
}
