import Foundation

/// Locates files in the package, such as manual pages, systemd units, and scripts.
enum PackageFolder {
  private static let url = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Returns the absolute path of a file whose name is relative to the package folder.
  static func path(_ name: String) -> String {
    url.appending(path: name).path(percentEncoded: false)
  }
}
