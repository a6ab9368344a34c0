import Foundation
import Testing

/// A defect in the source or target of a merge.
struct BadTarget: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// Creates the defect and returns the path that the error must name.
  let spoil: @Sendable (MergeCase) throws -> String

  init(_ description: String, spoil: @escaping @Sendable (MergeCase) throws -> String) {
    testDescription = description
    self.spoil = spoil
  }
}

@Suite("Command: unsuitable sources and targets", .waitsForPrograms)
struct BadTargetTests {
  static let origins = [
    BadTarget("the origin is missing") { merge in
      merge.origin = merge.folder.path("nothing")
      return merge.origin
    },
    BadTarget("the origin is a folder") { merge in
      merge.origin = merge.folder.path
      return merge.origin
    },
    BadTarget("the origin is a character device") { merge in
      merge.origin = "/dev/null"
      return merge.origin
    },
    BadTarget("the origin ends before the last mapped block") { merge in
      merge.origin = merge.folder.path("short.img")
      try Program.mustRun("truncate", "--size", "4M", merge.origin)
      return merge.origin
    },
    BadTarget("the origin is empty") { merge in
      merge.origin = merge.folder.path("empty.img")
      try Data().write(to: URL(filePath: merge.origin))
      return merge.origin
    },
  ]

  static let sources = [
    BadTarget("the metadata is missing") { merge in
      merge.metadata = merge.folder.path("nothing")
      return merge.metadata
    },
    BadTarget("the metadata is a folder") { merge in
      merge.metadata = merge.folder.path
      return merge.metadata
    },
    BadTarget("the data is missing") { merge in
      merge.data = merge.folder.path("nothing")
      return merge.data
    },
    BadTarget("the data is a folder") { merge in
      merge.data = merge.folder.path
      return merge.data
    },
    BadTarget("the data file is too short for the pool") { merge in
      try Program.mustRun("truncate", "--size", "1M", merge.data)
      return merge.data
    },
  ]

  static let sameFiles = ["data", "metadata"].flatMap { role in
    [
      BadTarget("the origin is the \(role)") { merge in
        merge.origin = path(of: role, in: merge)
        return merge.origin
      },
      BadTarget("the origin is a hard link to the \(role)") { merge in
        merge.origin = merge.folder.path("linked.img")
        try Program.mustRun("ln", path(of: role, in: merge), merge.origin)
        return merge.origin
      },
      BadTarget("the origin is a symbolic link to the \(role)") { merge in
        merge.origin = merge.folder.path("linked.img")
        try Program.mustRun("ln", "-s", path(of: role, in: merge), merge.origin)
        return merge.origin
      },
    ]
  }

  @Test(
    "a merge with an unsuitable source or target is refused",
    arguments: origins + sources + sameFiles)
  func refused(target: BadTarget) throws {
    let merge = try MergeCase()
    let named = try target.spoil(merge)
    expectError(try merge.merge(), exitStatus: 2, naming: named)
  }

  @Test(
    "a merge with an unsuitable source or target leaves the origin unchanged",
    arguments: origins + sources + sameFiles)
  func untouched(target: BadTarget) throws {
    let merge = try MergeCase()
    _ = try target.spoil(merge)
    _ = try merge.merge()
    #expect(try merge.changedSectors() == [])
  }

  @Test("a merge onto its own data or metadata leaves both unchanged", arguments: sameFiles)
  func sourcesUntouched(target: BadTarget) throws {
    let merge = try MergeCase()
    let before = try [merge.dataFile, merge.metadataFile].map(content)
    _ = try target.spoil(merge)
    _ = try merge.merge()
    #expect(try [merge.dataFile, merge.metadataFile].map(content) == before)
  }

  @Test(
    "a merge with an unsuitable source or target leaves no journal",
    arguments: origins + sources + sameFiles)
  func noJournal(target: BadTarget) throws {
    let merge = try MergeCase()
    _ = try target.spoil(merge)
    let before = try merge.folder.names()
    _ = try merge.merge()
    #expect(try merge.folder.names() == before)
  }

  @Test(
    "a plan with an unsuitable source or target is refused",
    arguments: origins + sources + sameFiles)
  func planRefuses(target: BadTarget) throws {
    let merge = try MergeCase()
    let named = try target.spoil(merge)
    expectError(try merge.plan(), exitStatus: 2, naming: named)
  }

  private static func path(of role: String, in merge: MergeCase) -> String {
    role == "data" ? merge.dataFile : merge.metadataFile
  }
}

@Suite("Command: unsuitable block devices", .waitsForPrograms, .needsLoopDevices)
struct BadDeviceTests {
  @Test("a read-only device is refused as the origin")
  func readOnlyDevice() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile, readOnly: true)
    merge.origin = device.path
    expectError(try merge.mergeOntoDevice(), exitStatus: 2, naming: device.path)
    #expect(try merge.changedSectors() == [])
  }

  @Test("a device that is too short is refused as the origin")
  func shortDevice() throws {
    let merge = try MergeCase()
    let backing = merge.folder.path("short.img")
    try Program.mustRun("truncate", "--size", "4M", backing)
    let device = try LoopDevice(backing: backing)
    merge.origin = device.path
    expectError(try merge.mergeOntoDevice(), exitStatus: 2, naming: device.path)
  }

  @Test("a loop device over the data or metadata file is refused as the origin")
  func loopOverSource() throws {
    let merge = try MergeCase()
    for source in [merge.dataFile, merge.metadataFile] {
      let before = try content(of: source)
      let device = try LoopDevice(backing: source)
      merge.origin = device.path
      expectError(try merge.mergeOntoDevice(), exitStatus: 2, naming: device.path)
      #expect(try content(of: source) == before)
    }
  }

  @Test("two loop devices over one file are refused as data and origin")
  func twoLoopsOverOneFile() throws {
    let merge = try MergeCase()
    let source = try LoopDevice(backing: merge.dataFile, readOnly: true)
    let origin = try LoopDevice(backing: merge.dataFile)
    merge.data = source.path
    merge.origin = origin.path
    expectError(try merge.mergeOntoDevice(), exitStatus: 2, naming: origin.path)
  }

  @Test("a plan that uses the block devices of an inactive pool reports no refusal")
  func planOverDevices() throws {
    let merge = try MergeCase()
    let devices = try [merge.metadataFile, merge.dataFile, merge.originFile].map {
      try LoopDevice(backing: $0)
    }
    (merge.metadata, merge.data, merge.origin) = (
      devices[0].path, devices[1].path, devices[2].path
    )
    let plan = try merge.plan([
      "--journal", merge.folder.path("device.journal"), "--output", "json",
    ]).report()
    #expect(plan["refused"] == .null)
    expectSuccess(try merge.mergeOntoDevice())
  }

  @Test("a plan onto a read-only device reports that the merge would be refused")
  func planOntoReadOnlyDevice() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile, readOnly: true)
    merge.origin = device.path
    let plan = try merge.plan([
      "--journal", merge.folder.path("device.journal"), "--output", "json",
    ]).report()
    #expect(plan["refused"]?["code"]?.string == "device-read-only")
  }

  @Test("a merge onto a block device needs --yes if there is no terminal to ask for confirmation")
  func needsConfirmation() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let result = try merge.merge(["--journal", merge.folder.path("journal")])
    #expect([2, 64].contains(result.exitStatus), "\(result.standardError)")
    #expect(result.standardError.contains("--yes"))
    #expect(try merge.changedSectors() == [])
  }
}

extension MergeCase {
  /// Merges onto a block device without asking for confirmation, and keeps the journal in the
  /// test's folder.
  func mergeOntoDevice(_ options: [String] = []) throws -> CommandResult {
    try merge(["--yes", "--journal", folder.path("device.journal")] + options)
  }
}
