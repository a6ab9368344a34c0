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
