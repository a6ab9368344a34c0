/// What is wrong with a pool's metadata, and in which block.
package struct MetadataFault: Error, Equatable, Sendable {
  package var block: MetadataBlock?
  package var reason: String
  package var hint: String?

  package init(_ block: MetadataBlock?, _ reason: String, hint: String? = nil) {
    self.block = block
    self.reason = reason
    self.hint = hint
  }

  /// The fault in words for people; nothing was written yet.
  package func refusal(path: String) -> MergeError {
    MergeError(
      .refused, "bad metadata", at: block.map { "\(path), block \($0)" } ?? path, because: reason,
      hint: hint)
  }
}
