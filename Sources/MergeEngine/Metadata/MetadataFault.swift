/// What is wrong with a pool's metadata, and in which block.
package struct MetadataFault: Error, Equatable, Sendable {
  package var block: MetadataBlock?
  package var reason: String
  package var hint: String?
  /// Whether the metadata is damaged, or only not fit for what is wanted.
  package var isDamage: Bool

  package init(
    _ block: MetadataBlock?, _ reason: String, hint: String? = nil, isDamage: Bool = true
  ) {
    self.isDamage = isDamage
    self.block = block
    self.reason = reason
    self.hint = hint
  }

  /// The fault in words for people; nothing was written yet.
  package func refusal(path: String) -> MergeError {
    MergeError(
      .refused, isDamage ? "bad metadata" : "cannot use the metadata",
      at: block.map { "\(path), block \($0)" } ?? path, because: reason,
      hint: hint)
  }
}
