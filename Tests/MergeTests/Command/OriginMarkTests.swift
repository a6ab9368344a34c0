import Fixtures
import Foundation
import Testing

@testable import MergeEngine

/// Another path that leads to the bytes of an origin.
enum OtherName: CaseIterable, Sendable {
  case hardLink, symbolicLink, bindMount, loopDevice, loopDeviceOverPart

  private static let folderName = "elsewhere"

  /// Returns the journal path that the error names: the default path for this name, or the path
  /// stored in the mark.
  func journal(_ merge: MergeCase) -> String {
    self == .bindMount
      ? merge.folder.path(Self.folderName + "/origin.img.thin-merge") : merge.journal
  }

  /// The expected error code, which depends on whether this name leads to the journal's default
  /// path.
  var code: String {
    [.symbolicLink, .bindMount].contains(self)
      ? "journal-of-other-thin-device" : "other-merge-unfinished"
  }

  /// Calls `body` with another path that leads to the origin's file.
  func with<Result>(_ merge: MergeCase, _ body: (String) throws -> Result) throws -> Result {
    let link = merge.folder.path("link.img")
    switch self {
    case .hardLink:
      try Program.mustRun("ln", merge.originFile, link)
      return try body(link)
    case .symbolicLink:
      try Program.mustRun("ln", "-s", merge.originFile, link)
      return try body(link)
    case .bindMount:
      let folder = merge.folder.path(Self.folderName)
      try Program.mustRun("mkdir", folder)
      try Program.mustRun("mount", "--bind", merge.folder.path, folder)
      defer { _ = try? Program.run(["umount", "-l", folder]) }
      return try body(folder + "/origin.img")
    case .loopDevice:
      let device = try LoopDevice(backing: merge.originFile)
      return try withExtendedLifetime(device) { try body(device.path) }
    case .loopDeviceOverPart:
      let device = try LoopDevice(
        backing: merge.originFile, range: 65_536..<merge.before.count)
      return try withExtendedLifetime(device) { try body(device.path) }
    }
  }
}

@Suite(
  "Command: unfinished merges and other names for their origins", .waitsForPrograms,
  .needsLoopDevices)
struct OriginMarkTests {
  /// Options that skip blocks past the end of the origin, for names that show only part of it.
  private static let clipped = ["--past-end", "clip", "--yes"]

  @Test(
    "merging under another name onto a half-merged origin is refused, and the journal is named",
    arguments: OtherName.allCases
  )
  func otherMerge(name: OtherName) throws {
    let merge = try MergeCase.twoDevices()
    try merge.interruptMerge()
    let before = try content(of: merge.originFile)
    try name.with(merge) { path in
      let result = try ThinMergeCommand.run(
        merge.argumentsOfDevice1("merge", onto: path, Self.clipped))
      expectError(result, exitStatus: 4, naming: name.journal(merge))
      let plan = try ThinMergeCommand.run(
        merge.argumentsOfDevice1("plan", onto: path, ["--output", "json", "--past-end", "clip"]))
      #expect(
        try plan.report()["refused"]?["code"]?.string == name.code, "\(plan.standardOutput)")
    }
    #expect(try content(of: merge.originFile) == before)
    expectSuccess(try merge.resume())
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "--restart through another name for the origin replaces the mark",
    arguments: OtherName.allCases.dropLast())
  func restart(name: OtherName) throws {
    let merge = try MergeCase.twoDevices()
    let state = try TemporaryFolder()
    try merge.interruptMerge()
    try name.with(merge) { path in
      let running = try ThinMergeCommand.start(
        merge.argumentsOfDevice1("merge", onto: path, ["--yes", "--restart"] + MergeCase.slowly),
        environment: ["STATE_DIRECTORY": state.path])
      let isMarked = try running.waitUntil {
        try MergeCase.markNames(of: merge.originFile).count == 1
          && content(of: merge.originFile) != merge.before
          && Self.markedJournal(of: merge.originFile) != merge.journal
      }
      // A symbolic link leads to the same journal file.
      if name != .symbolicLink { #expect(isMarked) }
      expectSuccess(try running.wait())
    }
    #expect(try MergeCase.markNames(of: merge.originFile) == [])
  }

  private static func markedJournal(of path: String) throws -> String? {
    try MergeCase.marks(of: path).values.first
      .flatMap { OriginMark(decoding: $0)?.journalPath }
  }

  @Test("a merge onto a file is refused after an unfinished merge onto its loop device")
  func loopDeviceFirst() throws {
    let merge = try MergeCase.twoDevices()
    var device: LoopDevice? = try LoopDevice(backing: merge.originFile)
    merge.origin = try #require(device?.path)
    merge.journal = merge.folder.path("kept.journal")
    try merge.interruptMerge(["--yes", "--journal", merge.journal])
    device = nil
    let before = try content(of: merge.originFile)
    let result = try ThinMergeCommand.run(
      merge.argumentsOfDevice1("merge", onto: merge.originFile))
    expectError(result, exitStatus: 4, naming: merge.journal)
    #expect(try content(of: merge.originFile) == before)
  }

  @Test(
    "an unfinished journal at a custom path is found without --journal or with a different one"
  )
  func journalElsewhere() throws {
    let merge = try MergeCase.twoDevices()
    let elsewhere = merge.folder.path("kept.journal")
    merge.journal = elsewhere
    try merge.interruptMerge(["--journal", elsewhere])
    let before = try content(of: merge.originFile)
    for options in [[], ["--journal", merge.folder.path("another.journal")]] {
      expectError(
        try ThinMergeCommand.run(
          merge.argumentsOfDevice1("merge", onto: merge.originFile, options)),
        exitStatus: 4, naming: elsewhere)
      expectError(try merge.merge(options), exitStatus: 4, naming: elsewhere)
    }
    #expect(try content(of: merge.originFile) == before)
    #expect(try merge.newFiles() == ["kept.journal"])
    expectSuccess(try merge.merge(["--journal", elsewhere]))
    #expect(try merge.wrongSectors() == [])
    expectSuccess(
      try ThinMergeCommand.run(merge.argumentsOfDevice1("merge", onto: merge.originFile)))
  }

  @Test("repeating a finished merge is refused once another merge has started on its origin")
  func finishedThenOther() throws {
    let merge = try MergeCase.twoDevices()
    expectSuccess(try merge.merge())
    let elsewhere = merge.folder.path("kept.journal")
    let running = try ThinMergeCommand.start(
      merge.argumentsOfDevice1(
        "merge", onto: merge.originFile, ["--journal", elsewhere] + MergeCase.slowly))
    try #require(try running.waitUntilCheckpoint(1, in: elsewhere))
    running.send(SIGINT)
    #expect(try running.wait().exitStatus == 3)
    expectError(try merge.merge(), exitStatus: 4, naming: elsewhere)
  }

  @Test(
    "a mark whose journal is missing blocks merges until --restart, or a resume from its new path",
    arguments: [true, false])
  func journalGone(isReplaced: Bool) throws {
    let merge = try MergeCase.twoDevices()
    try merge.interruptMerge()
    let journal = try content(of: merge.journal)
    try Program.remove(merge.journal)
    if isReplaced {
      let other = try MergeCase.twoDevices()
      try other.interruptMerge()
      try content(of: other.journal).write(to: URL(filePath: merge.journal))
    }
    let before = try content(of: merge.originFile)
    let arguments = ["--journal", merge.folder.path("new.journal")]
    expectError(try merge.merge(arguments), exitStatus: 4, naming: merge.journal)
    #expect(try merge.refusalOfDevice1(onto: merge.originFile) != nil)
    #expect(try content(of: merge.originFile) == before)
    let moved = merge.folder.path("moved.journal")
    if isReplaced { try Program.remove(merge.journal) }
    try journal.write(to: URL(filePath: moved))
    try Program.mustRun("chmod", "0600", moved)
    if isReplaced {
      expectSuccess(try merge.merge(["--restart"]))
    } else {
      expectSuccess(try ThinMergeCommand.run(["resume", moved, "--origin", merge.origin]))
    }
    #expect(try merge.wrongSectors() == [])
    #expect(try MergeCase.markNames(of: merge.originFile) == [])
  }

  @Test("merging onto a copy of a half-merged file is blocked by the mark copied with it")
  func copied() throws {
    let merge = try MergeCase.twoDevices()
    try merge.interruptMerge()
    let copy = merge.folder.path("copy.img")
    try Program.mustRun("cp", "--preserve=all", merge.originFile, copy)
    #expect(try merge.refusalOfDevice1(onto: copy) == "mark-without-journal")
    expectSuccess(try merge.resume())
    #expect(try merge.refusalOfDevice1(onto: copy) == "mark-without-journal")
    #expect(try merge.refusalOfDevice1(onto: merge.originFile) == nil)
  }

  @Test("plan, verify and status do not change the origin's mark")
  func looking() throws {
    let merge = try MergeCase.twoDevices()
    try merge.interruptMerge()
    let marks = try MergeCase.markNames(of: merge.originFile)
    #expect(marks == ["user.thin-merge.0-end"])
    _ = try merge.plan()
    _ = try merge.verify()
    _ = try merge.status()
    #expect(try MergeCase.markNames(of: merge.originFile) == marks)
    let link = merge.folder.path("link.img")
    try Program.mustRun("ln", merge.originFile, link)
    merge.origin = link
    #expect(try merge.verify().standardOutput.contains("thin-merge resume \(merge.journal)"))
  }

  @Test("a half-merged file is recognized under another name even without extended attributes")
  func noAttributes() throws {
    let folder = try TemporaryFolder()
    try Program.mustRun("mount", "-t", "ramfs", "ramfs", folder.path)
    defer { _ = try? Program.run(["umount", "-l", folder.path]) }
    let merge = try MergeCase.twoDevices(in: folder)
    try merge.interruptMerge()
    let before = try content(of: merge.originFile)
    func mergeOtherOntoLoopDevice() throws -> CommandResult {
      let device = try LoopDevice(backing: merge.originFile)
      return try withExtendedLifetime(device) {
        try ThinMergeCommand.run(
          merge.argumentsOfDevice1("merge", onto: device.path, ["--yes"]),
          environment: ["STATE_DIRECTORY": merge.folder.path("state")])
      }
    }
    expectError(try mergeOtherOntoLoopDevice(), exitStatus: 4, naming: merge.journal)
    #expect(try content(of: merge.originFile) == before)
    expectSuccess(try merge.merge())
    expectSuccess(try mergeOtherOntoLoopDevice())
  }

  @Test("a merge is refused, with nothing written, if its mark cannot be set on the origin")
  func cannotMark() throws {
    let merge = try MergeCase(scatteredBlocks: 8)
    let result = try ThinMergeCommand.run(
      merge.mergeArguments(),
      under: [
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsetxattr:error=EIO",
      ])
    expectError(result, exitStatus: 2, naming: merge.origin)
    #expect(try merge.changedSectors() == [])
    expectSuccess(try merge.merge())
    #expect(try merge.wrongSectors() == [])
  }
}
