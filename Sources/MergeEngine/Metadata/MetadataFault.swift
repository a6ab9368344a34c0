internal import SystemPackage

/// A fault in a pool's metadata, and the block that contains the fault.
package struct MetadataFault: Error, Equatable, Sendable {
  /// The machine-readable reason for the fault.
  package var code: MergeError.Code
  package var block: MetadataBlock?
  /// The human-readable reason for the fault.
  package var reason: String
  private var hint: String?
  /// True if the metadata is damaged; false if it is intact but cannot be used for the current
  /// purpose.
  package var isDamage: Bool
  private var deviceID: UInt32?
  /// The numbers that the reason mentions, by name.
  private var counts: [String: UInt64]
  private var errorNumber: Int32?
  private var circumstances: Set<MergeError.Context.Circumstance>

  /// Creates a fault; the individual faults are defined in the catalog.
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

  /// Returns the fault as an error; used only before anything has been written.
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
    "if this is the pool's metadata device, deactivate the pool and check it with"
      .above("thin_check \(path.shellQuoted)")
  }
}
