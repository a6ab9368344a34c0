import Foundation
import Testing

/// The program that suspends a device of a made-up kernel, as `Tests/Suspension/suspension.c` says.
enum SuspensionProgram {
  /// Where it was compiled to, beside the tests; nil where there is no compiler.
  private static let path: String? = {
    let path = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "suspension").path(percentEncoded: false)
    // Another process of the tests may be using it.
    let new = path + ".\(getpid())"
    let compiled = try? Program.run([
      "cc", "-O1", "-D_Nonnull=", "-o", new,
      "-I", PackageFolder.path("Sources/CDeviceMapper/include"),
      PackageFolder.path("Tests/Suspension/suspension.c"),
      PackageFolder.path("Sources/CDeviceMapper/cdevicemapper.c"), "-ldevmapper",
    ])
    guard compiled?.exitStatus == 0, (try? Program.mustRun("mv", new, path)) != nil else {
      return nil
    }
    return path
  }()

  static var isThere: Bool { path != nil }

  /// Returns what it printed.
  static func run(_ words: [String]) throws -> [String] {
    let result = try Program.run([path ?? ""] + words)
    return result.standardOutput.split(separator: "\n").map(String.init)
  }
}

extension Trait where Self == ConditionTrait {
  /// The program needs a compiler for C.
  static var needsSuspensionProgram: Self {
    .enabled("no C compiler, or no headers of libdevmapper") { SuspensionProgram.isThere }
  }
}
