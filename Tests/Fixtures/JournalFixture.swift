import Foundation

/// Journals that are kept as files, so that no change of the program changes them.
package enum JournalFixture: String, Sendable {
  /// A merge of the scenario "basic", finished and verified by thin-merge 0.1.0.
  case finishedByVersion010 = "0.1.0"
  /// The same journal, whose header requires the feature of bit 0; all checksums are right.
  case requiringUnknownFeature = "required-feature"

  /// The whole file.
  package func bytes() throws -> [UInt8] {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Journals")
    return try Array(Data(contentsOf: folder.appendingPathComponent("\(rawValue).journal")))
  }
}
