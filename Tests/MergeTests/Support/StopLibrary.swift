import Foundation
import Testing

/// The library that stops a program at one of its file changes; see `Tests/Oracle/stop.c`.
enum StopLibrary {
  /// The path of the compiled library, next to the tests; nil without a C compiler.
  static let path: String? = {
    let path = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "stop.so").path(percentEncoded: false)
    // Another process of the tests may be using the library.
    let new = path + ".\(getpid())"
    let compiled = try? Program.run([
      "cc", "-O1", "-shared", "-fPIC", "-o", new, PackageFolder.path("Tests/Oracle/stop.c"),
    ])
    guard compiled?.exitStatus == 0, (try? Program.mustRun("mv", new, path)) != nil else {
      return nil
    }
    return path
  }()
}

extension Trait where Self == ConditionTrait {
  /// Stopping the command at a change needs a C compiler.
  static var needsStopLibrary: Self {
    .enabled("no C compiler, or no headers of libaio") { StopLibrary.path != nil }
  }
}
