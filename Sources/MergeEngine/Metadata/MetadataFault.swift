internal import SystemPackage

/// What is wrong with a pool's metadata, and in which block.
package struct MetadataFault: Error, Equatable, Sendable {
  package var block: MetadataBlock?
  package var reason: String
  package var hint: String?
  /// Whether the metadata is damaged, or only not fit for what is wanted.
  package var isDamage: Bool
  /// Whether the reading was given up on request.
  private var isInterruption = false

  package init(
    _ block: MetadataBlock?, _ reason: String, hint: String? = nil, isDamage: Bool = true
  ) {
    self.isDamage = isDamage
    self.block = block
    self.reason = reason
    self.hint = hint
  }

  /// A read of a block that came to a negative errno, or to less than the block.
  init(readResult: Int64, of block: MetadataBlock?) {
    self.init(
      block,
      readResult < 0
        ? "cannot be read: \(Errno(rawValue: CInt(clamping: -readResult)))"
        : "cannot be read: the metadata ends inside it",
      hint: readResult < 0 ? "the kernel's log may say more about the device" : nil)
  }

  /// A read whose end cannot be waited for.
  init(waiting errno: Errno) {
    self.init(
      nil,
      errno == .canceled
        ? "signals came while it was being read; it did not answer within 5 s"
        : "cannot wait for reads: \(errno)",
      hint: errno == .canceled ? nil : Errno.asynchronousHint, isDamage: false)
    isInterruption = errno == .canceled
  }

  /// What helps where another device was taken for the metadata.
  static let whereMetadataIs =
    "the metadata device is the first in 'dmsetup table POOL'; with LVM it is VG-POOL_tmeta"

  private static func checkHint(_ path: String) -> String {
    "if this is the pool's metadata device: once the pool is not active, 'thin_check "
      + "\(path.shellQuoted)' says more"
  }

  /// The fault in words for people; nothing was written yet.
  package func refusal(path: String) -> MergeError {
    if isInterruption { return MergeError(.stopped, "interrupted", at: path, because: reason) }
    let what = isDamage ? "bad metadata" : "cannot use the metadata"
    return MergeError(
      .refused, what, at: block.map { "\(path), block \($0)" } ?? path, because: reason,
      hint: hint ?? (isDamage ? Self.checkHint(path) : nil))
  }
}
