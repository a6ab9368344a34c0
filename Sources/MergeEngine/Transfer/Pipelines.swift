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

// Every pipeline there is. Each is compiled for itself, on LinuxAIO and on nothing else: who adds one
// adds some 30 KiB to the program.

/// Merges what is planned.
typealias CopyPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PlannedTransfers<Source>, CopyStep, Checkpointer>

/// Merges what could not be read before.
typealias RetryPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PieceTransfers<Source, GivenPieces>, CopyStep, Checkpointer>

/// Reads again what earlier runs recorded, and writes what differs.
typealias RecheckPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PieceTransfers<Source, JournaledPieces<IO>>, RecheckStep, Checkpointer>

/// Compares the target with the source.
typealias ComparePipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PlannedTransfers<Source>, CompareStep, NoLedger>

/// Compares the target with a journal's checksums.
typealias CompareChecksumPipeline<IO: BlockIO & ~Copyable> =
  Pipeline<IO, TargetOnlyTransfers<JournaledPieces<IO>>, CompareChecksumStep, NoLedger>

/// Compares source and target, each with a journal's checksums: all of them, or the first.
typealias CompareRecordedPipeline<
  IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable, Pieces: PieceSource & ~Copyable
> = Pipeline<IO, PieceTransfers<Source, Pieces>, CompareRecordedStep, NoLedger>
