internal import SystemPackage

/// The reason for which a verb failed, in words for the person who called it.
///
/// Programs go by ``kind`` and ``code``; the words may change from version to version.
public struct MergeError: Error, Equatable, Sendable {
  /// What the failure means for the origin and for trying again.
  public enum Kind: Sendable {
    /// Nothing was written: bad metadata, sizes that do not fit, an unsafe target. The same call ends the
    /// same way until something is changed.
    case refused
    /// It stopped early, on an error of a device or on request; a merge can be resumed as a rule.
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
  /// The reason, for programs.
  public var code: Code
  /// The devices, numbers and ranges involved, for programs.
  public var context: Context
  /// The step that failed: "cannot lock the origin".
  public var what: String
  /// The file, device or block that the step failed on.
  public var place: String
  /// The cause in the system's words, or the value found and the one expected.
  public var why: String
  /// An instruction to the reader; nil where there is none, or where only the calling program knows
  /// its own options.
  ///
  /// It may have several lines. One that begins with two blanks is a command, as a shell takes it.
  public var hint: String?

  /// Describes a failure.
  ///
  /// `context`: what it is about; without one, the path that is the `place`.
  package init(
    _ code: Code, _ kind: Kind, _ what: String, at place: String, because why: String,
    hint: String? = nil, context: Context? = nil
  ) {
    self.code = code
    self.kind = kind
    self.what = what
    self.place = place
    self.why = why
    self.hint = hint
    self.context = context ?? Context(path: place)
  }

  /// Describes a failure of the system.
  init(
    _ code: Code, _ kind: Kind, _ what: String, at place: String, because errno: Errno,
    hint: String? = nil, context: Context? = nil
  ) {
    self.init(code, kind, what, at: place, because: "\(errno)", hint: hint, context: context)
    self.context.errorNumber = errno.rawValue
  }

  /// The whole sentence: what, where, why.
  public var message: String { "\(what), \(place): \(why)" }

  /// Returns the same failure with another hint.
  func hinting(_ hint: String) -> MergeError {
    var error = self
    error.hint = hint
    return error
  }

  /// Returns the same failure as it counts once the origin has been written to.
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

extension MergeError {
  /// The devices, numbers and ranges that an error or a note is about, for programs.
  public struct Context: Equatable, Sendable {
    /// A condition that changes what a program should do about an error.
    public enum Circumstance: Sendable {
      /// A merge is being resumed from its journal.
      case isResumed
      /// The merge in the journal is finished.
      case isFinished
      /// The pool is taken to be not active.
      case isInactive
      /// Another thin device has the number now.
      case isReplaced
      /// The data device begins as metadata does, and the metadata device does not.
      case devicesAreSwapped
      /// A snapshot of the thin device could be merged in its place.
      case canTakeSnapshot
      /// A metadata snapshot is held, and could be read.
      case holdsMetadataSnapshot
      /// It is the thin device of the journal, with other mappings.
      case isSameThinDevice
    }

    /// The file or device.
    public var path: String?
    /// The part that the file or device has in the verb, such as "origin", "data device" or
    /// "journal".
    public var role: String?
    /// The journal of the merge.
    public var journalPath: String?
    /// The name of the active pool.
    public var pool: String?
    /// The number of the thin device in its pool.
    public var deviceID: UInt32?
    /// The name of another device that is in the way, or that is meant.
    public var name: String?
    /// The bytes of the file or device.
    public var range: ByteRange?
    /// The system's error number, `errno`.
    public var errorNumber: Int32?
    /// True where the system says that the user may not do it, so that another one may.
    package var isForbidden: Bool {
      errorNumber.map { [.permissionDenied, .notPermitted].contains(Errno(rawValue: $0)) } ?? false
    }
    /// Byte counts, block numbers and other amounts, by name.
    public var counts: [String: UInt64]
    /// The policy of the wanted merge for blocks past the origin's end.
    public var pastEnd: PastEndPolicy?
    /// The policy of the merge in the journal for those blocks.
    public var recordedPastEnd: PastEndPolicy?
    /// The conditions that were met.
    public var circumstances: Set<Circumstance>
    /// One at most; an array, since a structure cannot contain itself.
    private var causes: [MergeError]

    /// The error that led to this one.
    public var cause: MergeError? { causes.first }

    /// Returns the same context with `error` as the cause.
    func caused(by error: MergeError) -> Context {
      var context = self
      context.causes = [error]
      return context
    }

    /// Describes what an error is about.
    init(
      path: String? = nil, role: String? = nil, journalPath: String? = nil, pool: String? = nil,
      deviceID: UInt32? = nil, name: String? = nil, range: ByteRange? = nil,
      counts: [String: UInt64] = [:], pastEnd: PastEndPolicy? = nil,
      recordedPastEnd: PastEndPolicy? = nil, circumstances: Set<Circumstance> = [],
      errno: Errno? = nil, cause: MergeError? = nil
    ) {
      self.path = path
      self.role = role
      self.journalPath = journalPath
      self.pool = pool
      self.deviceID = deviceID
      self.name = name
      self.range = range
      self.counts = counts
      self.pastEnd = pastEnd
      self.recordedPastEnd = recordedPastEnd
      self.circumstances = circumstances
      errorNumber = errno?.rawValue
      causes = cause.map { [$0] } ?? []
    }
  }
}
