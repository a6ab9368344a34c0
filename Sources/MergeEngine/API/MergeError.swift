internal import SystemPackage

/// The reason that a verb failed, worded for its caller.
///
/// Programs should use ``kind`` and ``code``; the wording may change between versions.
public struct MergeError: Error, Equatable, Sendable {
  /// The consequence of the failure for the origin and for a retry.
  public enum Kind: Sendable {
    /// Nothing was written: the metadata is bad, sizes do not fit, or the target is unsafe. The
    /// same call fails again until something changes.
    case refused
    /// The verb stopped early, on a device error or on request; a merge can usually be resumed.
    case stopped
    /// Nothing was written: the journal belongs to another, unfinished merge, or is corrupt; the
    /// merge is finished, but its source or origin was written later; or the origin contains almost
    /// nothing recorded by an unfinished merge.
    case journalConflict
    /// Nothing was written: something needed is in use or, for a resumed merge, not there (yet);
    /// retry later.
    case busy
    /// A bug in the engine.
    case bug
  }

  /// The consequence of the failure.
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
  /// An instruction to the reader; nil if there is none, or if only the calling program knows its
  /// own options.
  ///
  /// The hint may have several lines. A line that begins with two spaces is a shell command.
  public var hint: String?

  /// Describes a failure.
  ///
  /// - `context`: the subject of the failure; by default, the path in `place`.
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

  /// Describes a failure reported by the system.
  init(
    _ code: Code, _ kind: Kind, _ what: String, at place: String, because errno: Errno,
    hint: String? = nil, context: Context? = nil
  ) {
    self.init(code, kind, what, at: place, because: "\(errno)", hint: hint, context: context)
    self.context.errorNumber = errno.rawValue
  }

  /// The whole sentence: step, place, cause.
  public var message: String { "\(what), \(place): \(why)" }

  /// Returns the same failure with a different hint.
  func hinting(_ hint: String) -> MergeError {
    var error = self
    error.hint = hint
    return error
  }

  /// Returns the same failure with the kind that applies once the origin has been written.
  package func afterFirstWrite() -> MergeError {
    var error = self
    switch kind {
    case .refused: error.kind = .stopped
    case .journalConflict:
      // The journal was valid when the run began; the next run checks it again.
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
    /// A condition that affects a program's response to an error.
    public enum Circumstance: Sendable {
      /// A merge is being resumed from its journal.
      case isResumed
      /// The merge in the journal is finished.
      case isFinished
      /// The pool is assumed to be inactive.
      case isInactive
      /// The thin device's ID now belongs to another thin device.
      case isReplaced
      /// The data device begins like metadata, and the metadata device does not.
      case devicesAreSwapped
      /// A snapshot of the thin device could be merged instead.
      case canTakeSnapshot
      /// A metadata snapshot is held and could be read.
      case holdsMetadataSnapshot
      /// The thin device is the journal's, with other mappings.
      case isSameThinDevice
    }

    /// The file or device.
    public var path: String?
    /// The role of the file or device in the verb, such as "origin", "data device" or "journal".
    public var role: String?
    /// The journal of the merge.
    public var journalPath: String?
    /// The name of the active pool.
    public var pool: String?
    /// The thin device's ID in its pool.
    public var deviceID: UInt32?
    /// The name of another device that is in the way or is meant.
    public var name: String?
    /// The byte range of the file or device.
    public var range: ByteRange?
    /// The system's error number, `errno`.
    public var errorNumber: Int32?
    /// True if the system denied permission, so that another user might succeed.
    package var isForbidden: Bool {
      errorNumber.map { [.permissionDenied, .notPermitted].contains(Errno(rawValue: $0)) } ?? false
    }
    /// Byte counts, block numbers and other amounts, by name.
    public var counts: [String: UInt64]
    /// The requested merge's policy for blocks past the origin's end.
    public var pastEnd: PastEndPolicy?
    /// The recorded merge's policy for blocks past the origin's end.
    public var recordedPastEnd: PastEndPolicy?
    /// The conditions that apply.
    public var circumstances: Set<Circumstance>
    /// At most one error, stored in an array because a structure cannot contain itself.
    private var causes: [MergeError]

    /// The error that led to this one.
    public var cause: MergeError? { causes.first }

    /// Returns the same context with `error` as the cause.
    func caused(by error: MergeError) -> Context {
      var context = self
      context.causes = [error]
      return context
    }

    /// Describes the subject of an error.
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
