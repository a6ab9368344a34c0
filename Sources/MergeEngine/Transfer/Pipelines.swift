/// The outcome of a pipeline's run.
package enum PipelineEnd: Equatable, Sendable {
  case finished
  case interrupted
  case failed(MergeError)
}

/// The result of one pass of a pipeline.
package struct PassResult<Step: TransferStep & ~Copyable>: ~Copyable {
  package let end: PipelineEnd
  package let step: Step
  package let writtenByteCount: UInt64
  /// Ranges of the target that could not be processed because the source or the target was
  /// unreadable.
  package let unreadable: RangeSet
}

// These are all the pipelines in the program. Each is specialized only for LinuxAIO and adds about
// 30 KiB to the program.

/// The pipeline that merges the planned transfers.
typealias CopyPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PlannedTransfers<Source>, CopyStep, Checkpointer>

/// The pipeline that retries ranges that could not be read earlier.
typealias RetryPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PieceTransfers<Source, GivenPieces>, CopyStep, Checkpointer>

/// The pipeline that rereads transfers of earlier runs and rewrites those that differ.
typealias RecheckPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PieceTransfers<Source, JournaledPieces<IO>>, RecheckStep, Checkpointer>

/// The pipeline that compares the target with the source.
typealias ComparePipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PlannedTransfers<Source>, CompareStep, NoLedger>

/// The pipeline that compares the target with a journal's checksums.
typealias CompareChecksumPipeline<IO: BlockIO & ~Copyable> =
  Pipeline<IO, TargetOnlyTransfers<JournaledPieces<IO>>, CompareChecksumStep, NoLedger>

/// The pipeline that compares both source and target with all of a journal's checksums.
typealias CompareRecordedPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<IO, PieceTransfers<Source, JournaledPieces<IO>>, CompareRecordedStep, NoLedger>

/// The pipeline that checks source and target against a journal's first checksums before a resume.
typealias CheckTargetPipeline<IO: BlockIO & ~Copyable, Source: RunSource & ~Copyable> =
  Pipeline<
    IO, PieceTransfers<Source, FirstPieces<JournaledPieces<IO>>>, CompareRecordedStep, NoLedger
  >
