import Foundation
import Testing

/// A library that stops a program at a chosen change to a file; see `Tests/Oracle/stop.c`.
enum StopLibrary {
  /// The path of the compiled library, next to the test binary; nil if there is no C compiler.
  static let path: String? = {
    let path = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "stop.so").path(percentEncoded: false)
    // Another test process may be using the existing library.
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
  /// Requires a C compiler, which builds the library that stops the command at a change.
  static var needsStopLibrary: Self {
    .enabled("no C compiler, or no headers of libaio") { StopLibrary.path != nil }
  }
}
