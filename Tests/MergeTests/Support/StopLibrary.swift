import Foundation
import Testing

/// The library that stops a program at a change it makes to files, as `Tests/Oracle/stop.c` says.
enum StopLibrary {
  /// Where it was compiled to, beside the tests; nil where there is no compiler.
  static let path: String? = {
    let path = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "stop.so").path(percentEncoded: false)
    // Another process of the tests may be using it.
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
  /// Stopping the command at a change needs a compiler for C.
  static var needsStopLibrary: Self {
    .enabled("no C compiler, or no headers of libaio") { StopLibrary.path != nil }
  }
}
