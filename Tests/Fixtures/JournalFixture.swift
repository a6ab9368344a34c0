import Foundation

/// Journals stored as files, so that changes of the program cannot change them.
package enum JournalFixture: String, Sendable {
  /// A merge of the scenario "basic", finished and verified by thin-merge 0.1.0.
  case finishedByVersion010 = "0.1.0"
  /// The same journal with a header that requires the feature of bit 0; all checksums are valid.
  case requiringUnknownFeature = "required-feature"

  /// Returns the bytes of the whole file.
  package func bytes() throws -> [UInt8] {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Journals")
    return try Array(Data(contentsOf: folder.appendingPathComponent("\(rawValue).journal")))
  }
}
