import Fixtures
import Foundation
import Testing

/// The example program, which is a separate package and is built once for all tests that run it.
private enum Example {
  static let program = Result {
    let scratch = PackageFolder.path(".build/examples")
    let swift = ProcessInfo.processInfo.environment["SWIFT"] ?? "swift"
    let result = try ChildProcess([
      swift, "build", "--package-path", PackageFolder.path("Examples/merge-two-files"),
      "--scratch-path", scratch,
    ]).wait(processorSecondsMax: 3600)
    let said = result.standardOutput + result.standardError
    guard result.exitStatus == 0, !said.contains("warning:") else {
      throw SupportError("the example is not built, or not without a warning:\n\(said)")
    }
    return scratch + "/debug/merge-two-files"
  }
}

@Suite("Library: the example program", .waitsForPrograms, .needsZstd)
struct ExampleTests {
  /// A recorded pool without a held metadata snapshot, and the bytes that the kernel read from it.
  private let scenario: KernelScenario
  private let folder: TemporaryFolder
  private let images: KernelScenario.Images

  init() throws {
    scenario = try KernelScenario.load("no-snap")
    folder = try TemporaryFolder()
    images = try scenario.unpack(into: folder.path)
  }

  @Test(
    "the example program merges image files and produces the bytes that the kernel read"
  )
  func merges() throws {
    let result = try runExample()
    #expect(result.exitStatus == 0, "\(result.standardOutput)\(result.standardError)")
    let byteCount = try scenario.device(0).mappedBlocks * scenario.blockSize
    #expect(
      result.standardOutput.contains("finished: \(byteCount) of \(byteCount) bytes written now"))
    #expect(result.standardOutput.contains("merging: "))
    #expect(try isMerged())
  }

  @Test("the example program resumes a merge that was interrupted")
  func goesOn() throws {
    let running = try ThinMergeCommand.start(
      [
        "merge", "--metadata", images.metadata, "--data", images.data, "--dev-id", "0",
        "--origin", images.origin, "--inactive",
      ] + MergeCase.slowly)
    try #require(try running.waitUntilCheckpoint(2, in: journal))
    running.send(SIGINT)
    try #require(try running.wait().exitStatus == 3)
    let recorded = try JournalOnDisk.recordedByteCount(of: journal)

    let result = try runExample()
    #expect(result.exitStatus == 0, "\(result.standardOutput)\(result.standardError)")
    let byteCount = try scenario.device(0).mappedBlocks * scenario.blockSize
    #expect(
      result.standardOutput.contains(
        "finished: \(byteCount - recorded) of \(byteCount) bytes written now"))
    #expect(try isMerged())
  }

  @Test("the example program refuses invalid metadata and reports that nothing was written")
  func refuses() throws {
    try overwrite(images.metadata, with: Data(count: 1 << 20))
    let result = try runExample()
    #expect(result.exitStatus == 2)
    #expect(result.standardOutput.contains("nothing was written"))
  }

  @Test(
    "for a busy origin or a journal conflict, the example exits with the same status as thin-merge")
  func exitStatuses() throws {
    let busy = try withExtendedLifetime(HeldFile.withFileLock(images.origin)) { try runExample() }
    #expect(busy.exitStatus == 5, "\(busy.standardOutput)")
    try Data(count: 4096).write(to: URL(filePath: journal))
    let conflict = try runExample()
    #expect(conflict.exitStatus == 4, "\(conflict.standardOutput)")
  }

  private var journal: String { images.origin + ".thin-merge" }

  private func runExample() throws -> CommandResult {
    try Program.run([
      Example.program.get(), images.metadata, images.data, "0", images.origin,
    ])
  }

  private func isMerged() throws -> Bool {
    try sha256(ofFile: images.origin) == scenario.device(0).mergedOriginSha256
  }
}
