import Foundation
import Testing

extension CommandResult {
  /// The lines on standard error that report errors.
  var errorLines: [Substring] {
    standardError.split(separator: "\n").filter { $0.hasPrefix("thin-merge: error:") }
  }
}

/// Expects one error line that contains `name`, and the given exit status.
func expectError(
  _ result: CommandResult, exitStatus: Int32, naming name: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(
    result.exitStatus == exitStatus, "\(result.standardError)", sourceLocation: sourceLocation)
  #expect(
    result.errorLines.count == 1, "\(result.standardError)", sourceLocation: sourceLocation)
  #expect(
    result.errorLines.first?.contains(name) == true, "\(name) in: \(result.standardError)",
    sourceLocation: sourceLocation)
}

/// Expects that the command succeeded.
func expectSuccess(
  _ result: CommandResult, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(result.exitStatus == 0, "\(result.standardError)", sourceLocation: sourceLocation)
}
