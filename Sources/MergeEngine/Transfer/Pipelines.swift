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

/// Compares source and target, each with all of a journal's checksums.
typealias CompareRecordedPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PieceTransfers<Source, JournaledPieces<IO>>, CompareRecordedStep, NoLedger>

/// Compares source and target with the first of a journal's checksums, before a merge is resumed.
typealias CheckTargetPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<
    IO, PieceTransfers<Source, FirstPieces<JournaledPieces<IO>>>, CompareRecordedStep, NoLedger
  >
