import Fixtures
import Foundation
import Testing

@Suite("Damaged metadata: refused before anything is written", .waitsForPrograms)
struct DamagedMetadataTests {
  @Test(
    "pools with damaged superblocks, metadata files or data files are refused",
    arguments: Damage.ofSuperblocks)
  func superblocks(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test(
    "a pool with a data block size that the format does not allow is refused",
    arguments: Damage.ofBlockSize)
  func blockSize(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("a merge is refused if a metadata node has a damaged header", arguments: Damage.ofAnyNode)
  func anyNode(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("a merge is refused if keys in the metadata trees are damaged", arguments: Damage.ofKeys)
  func keys(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test("a merge is refused if the shape of a metadata tree is damaged", arguments: Damage.ofShape)
  func shape(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test(
    "a merge is refused if mappings or device details are damaged, or if the device is missing",
    arguments: Damage.ofDevices)
  func devices(_ damage: Damage) throws { try expectRefusal(of: damage) }

  @Test(
    "every verb that reads metadata refuses a pool with a damaged node",
    arguments: ["plan", "verify", "devices"])
  func otherVerbs(verb: String) throws {
    var image = PoolImageBuilder.sound.build()
    let root = image.held.details.root
    image.editNode(at: root) { $0.flags = 3 }
    let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
    let what =
      switch verb {
      case "plan": pool.source(1)
      case "verify": pool.source(1) + ["--origin", pool.origin]
      default: ["--metadata", pool.metadata]
      }
    let refused = try pool.run([verb] + what)
    #expect(refused.exitStatus == 2)
    #expect(errorLines(refused).count == 1, "\(refused.standardError)")
  }

  @Test("the hint for a pool that needs a check names the command that clears the flag")
  func needsCheckHint() throws {
    var image = PoolImageBuilder.sound.build()
    image.editSuperblock { $0.flags = 1 }
    let pool = try PoolOnDisk(image, origin: PoolImageBuilder.origin, fillingData: false)
    let clearing = "thin_check --clear-needs-check-flag \(pool.metadata)"
    let held = try pool.merge(1).standardError
    #expect(held.contains("--ignore-needs-check") && held.contains(clearing))
    for refused in [
      try pool.merge(1, ["--inactive"]),
      try pool.run(["devices", "--metadata", pool.metadata, "--inactive"]),
    ] {
      #expect(refused.exitStatus == 2)
      #expect(refused.standardError.contains(clearing))
      // The hint must not suggest --ignore-needs-check, which is not allowed with --inactive.
      #expect(!refused.standardError.contains("--ignore-needs-check"))
    }
    let listed = try pool.run(["devices", "--metadata", pool.metadata, "--ignore-needs-check"])
    #expect(listed.exitStatus == 0, "\(listed.standardError)")
  }

  @Test(
    "if the metadata is actually an XML dump or all zeros, the error names a tool or option to use",
    arguments: [
      ("<superblock uuid=\"\" time=\"0\"/>", "thin_restore"),
      ("<superblock" + String(repeating: " ", count: 5000), "thin_restore"),
      (String(repeating: "\0", count: 8192), "--transaction-id"),
    ])
  func dumps(content: String, tool: String) throws {
    try expectHint(Data(content.utf8), tool)
  }

  @Test("if the metadata file is packed, the error names the tool that unpacks it")
  func packed() throws {
    let magic: [UInt8] = [0x77, 0xEF, 0x09, 0x63, 0xAA, 0xA0, 0x37, 0xA5]
    try expectHint(Data(magic + [UInt8](repeating: 7, count: 8184)), "thin_metadata_unpack")
  }

  private func expectHint(_ content: Data, _ tool: String) throws {
    let pool = try PoolOnDisk(
      PoolImageBuilder.sound.build(), origin: PoolImageBuilder.origin, fillingData: false)
    try content.write(to: URL(filePath: pool.metadata))
    let refused = try pool.merge(1)
    #expect(refused.exitStatus == 2)
    #expect(refused.standardError.contains(tool), "\(refused.standardError)")
  }

  @Test("the sound pool that the damage tests start from can be merged")
  func soundPool() throws {
    let pool = try PoolOnDisk(
      PoolImageBuilder.sound.build(), origin: PoolImageBuilder.origin, fillingData: false)
    for devID in [1, 5, 9] {
      let merge = try pool.merge(devID)
      #expect(merge.exitStatus == 0, "\(merge.standardError)")
    }
  }

  private func expectRefusal(of damage: Damage) throws {
    var image = damage.pool.build()
    let culprit = damage.damage(&image)
    let before = PoolImageBuilder.origin
    let pool = try PoolOnDisk(image, origin: before, fillingData: false)
    let files = try pool.folder.names()

    let refused = try pool.merge(damage.devID, damage.options)

    #expect(refused.exitStatus == 2, "\(refused.standardError)")
    let lines = refused.standardError.split(separator: "\n")
    let errors = errorLines(refused)
    #expect(errors.count == 1, "\(refused.standardError)")
    #expect(
      lines.allSatisfy { line in
        ["thin-merge: error: ", "hint: ", "  "].contains(where: line.hasPrefix)
      },
      "\(refused.standardError)")
    let message = String(errors.first ?? "")
    switch culprit {
    case .metadataFile:
      #expect(message.contains(pool.metadata))
    case .dataFile:
      #expect(message.contains(pool.data))
    case .blocks(let blocks):
      #expect(message.contains(pool.metadata))
      let numbers = message.replacing(pool.metadata, with: "")
        .split { !$0.isNumber }.compactMap { UInt64($0) }.map { Int(clamping: $0) }
      #expect(blocks.contains(where: numbers.contains), "none of \(blocks) in: \(message)")
    }
    #expect(try pool.originContent() == before, "the origin was changed")
    #expect(try pool.folder.names() == files, "something was left behind")
  }
}
