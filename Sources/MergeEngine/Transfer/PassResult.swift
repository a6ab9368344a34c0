internal import SystemPackage

/// How a pipeline's run ended.
package enum PipelineEnd: Equatable, Sendable {
  case finished
  case interrupted
  case failed(MergeError)
}

/// What one pass of a pipeline came to.
package struct PassResult<Step: TransferStep & ~Copyable>: ~Copyable {
  package let end: PipelineEnd
  package let step: Step
  package let writtenByteCount: UInt64
  /// Ranges of the target that could not be dealt with, since a side of them could not be read.
  package let unreadable: RangeSet
}

extension MergeError {
  static func cannotWait(_ errno: Errno, _ targetPath: String) -> MergeError {
    MergeError(
      .stopped, "cannot wait for reads and writes", at: targetPath, because: "\(errno)",
      hint: Errno.asynchronousHint)
  }

  static func cannotWrite(
    _ errno: Errno, _ targetPath: String, _ byteOffset: UInt64
  ) -> MergeError {
    MergeError(
      .stopped, "cannot write to the origin", at: "\(targetPath), byte \(byteOffset)",
      because: "\(errno)")
  }

  static func tooMuchUnreadable(_ targetPath: String) -> MergeError {
    MergeError(
      .stopped, "too much cannot be read", at: targetPath,
      because:
        "more than \(JournalState.unreadableCountMax) ranges of it have no source that can "
        + "be read",
      hint: "the pool's data device may be failing: see the kernel's log")
  }
}
