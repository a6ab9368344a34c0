import Foundation

/// Files of the package that are not sources: pages, units, scripts.
enum PackageFolder {
  private static let url = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Returns the path of a file that is given relative to the package folder.
  static func path(_ name: String) -> String {
    url.appending(path: name).path(percentEncoded: false)
  }
}
