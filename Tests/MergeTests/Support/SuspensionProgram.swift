import Foundation
import Testing

/// A program that suspends a device in a simulated kernel; see `Tests/Suspension/suspension.c`.
enum SuspensionProgram {
  /// The path of the compiled program, next to the test binary; nil if it cannot be compiled.
  private static let path: String? = {
    let path = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "suspension").path(percentEncoded: false)
    // Another test process may be using the existing program.
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

  /// Runs the program and returns the lines of its output.
  static func run(_ words: [String]) throws -> [String] {
    let result = try Program.run([path ?? ""] + words)
    return result.standardOutput.split(separator: "\n").map(String.init)
  }
}

extension Trait where Self == ConditionTrait {
  /// Requires a C compiler and the libdevmapper headers, which are needed to build the program.
  static var needsSuspensionProgram: Self {
    .enabled("no C compiler, or no headers of libdevmapper") { SuspensionProgram.isThere }
  }
}
