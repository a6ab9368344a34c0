import Foundation

/// The package's own files that are no sources: pages, units, scripts.
enum PackageFolder {
  private static let url = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The path of a file, given from the package's folder on.
  static func path(_ name: String) -> String {
    url.appending(path: name).path(percentEncoded: false)
  }
}
