internal import SystemPackage

/// What is wrong with a pool's metadata, and in which block.
package struct MetadataFault: Error, Equatable, Sendable {
  /// The reason, for programs.
  package var code: MergeError.Code
  package var block: MetadataBlock?
  /// The reason, as a sentence.
  package var reason: String
  private var hint: String?
  /// Whether the metadata is damaged, or only not fit for what is wanted.
  package var isDamage: Bool
  private var deviceID: UInt32?
  /// The amounts that the reason names.
  private var counts: [String: UInt64]
  private var errorNumber: Int32?
  private var circumstances: Set<MergeError.Context.Circumstance>

  /// Describes a fault; what is its own stands in the catalogue.
  init(
    _ code: MergeError.Code, _ block: MetadataBlock?, _ reason: String, hint: String? = nil,
    isDamage: Bool = true, deviceID: UInt32? = nil, counts: [String: UInt64] = [:],
    circumstances: Set<MergeError.Context.Circumstance> = [], errno: Errno? = nil
  ) {
    self.code = code
    self.block = block
    self.reason = reason
    self.hint = hint
    self.isDamage = isDamage
    self.deviceID = deviceID
    self.counts = counts
    self.circumstances = circumstances
    errorNumber = errno?.rawValue
  }

  /// The fault as an error; nothing was written yet.
  package func refusal(path: String) -> MergeError {
    if code == .interrupted { return .interruptedReading(path, because: reason) }
    var context = MergeError.Context(
      path: path, deviceID: deviceID, counts: counts, circumstances: circumstances)
    if let block { context.counts["block"] = block.rawValue }
    context.errorNumber = errorNumber
    return MergeError(
      code, .refused, isDamage ? "bad metadata" : "cannot use the metadata",
      at: block.map { "\(path), block \($0)" } ?? path, because: reason,
      hint: hint ?? (isDamage ? Self.checkHint(path) : nil), context: context)
  }

  private static func checkHint(_ path: String) -> String {
    "if this is the pool's metadata device, this says more, once the pool is not active"
      .above("thin_check \(path.shellQuoted)")
  }
}
