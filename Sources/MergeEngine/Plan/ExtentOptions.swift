/// What to do with mapped blocks that the origin has no room for.
public enum PastEndPolicy: String, Sendable, CaseIterable {
  /// Do not merge at all: the plan throws a `MergeError` of the kind `refused`.
  case refuse
  /// Leave them out, and say so.
  case clip
  /// Extend the origin, which must be a regular file, to the thin device's end, or to that of the last
  /// mapping where it is not known.
  case grow

  /// What stands for the policy in fingerprints and journals.
  package var code: UInt8 {
    switch self {
    case .refuse: 0
    case .clip: 1
    case .grow: 2
    }
  }

  package init?(code: UInt64) {
    guard let policy = Self.allCases.first(where: { UInt64($0.code) == code }) else { return nil }
    self = policy
  }
}

/// How the origin's end and the thin device's end are brought together.
public struct ExtentOptions: Equatable, Sendable {
  /// Bytes of the thin device; nil takes it to be as long as the origin.
  ///
  /// The pool's metadata does not have it: device-mapper's table does, in sectors of 512 bytes.
  public var thinByteCount: UInt64?
  /// What to do with mapped blocks that the origin has no room for.
  public var pastEnd: PastEndPolicy

  /// Describes the two ends.
  public init(thinByteCount: UInt64? = nil, pastEnd: PastEndPolicy = .refuse) {
    self.thinByteCount = thinByteCount
    self.pastEnd = pastEnd
  }
}
