import Foundation
import Testing

@Suite("Command: an origin in use", .waitsForPrograms)
struct InUseTests {
  @Test("a mounted origin is reported as busy", .needsExt4)
  func mounted() throws {
    let merge = try MergeCase()
    let folder = try TemporaryFolder()
    try Program.mustRun("mkfs.ext4", "-q", merge.originFile)
    let device = try LoopDevice(backing: merge.originFile)
    let mount = try Mount(device: device.path, at: folder.path, readOnly: true)
    merge.origin = device.path
    try expectBusy(merge, device.path)
    mount.unmount()
  }

  @Test("an origin disk with a mounted partition is reported as busy", .needsExt4)
  func mountedPartition() throws {
    let merge = try MergeCase()
    let folder = try TemporaryFolder()
    let disk = try LoopDevice(backing: merge.originFile, allowsPartitions: true)
    let partition = disk.path + "p1"
    try Program.mustRun("addpart", disk.path, "1", "2048", "8192")
    // The device node appears once udev or the kernel's devtmpfs has created it.
    #expect(poll { FileManager.default.fileExists(atPath: partition) })
    try Program.mustRun("mkfs.ext4", "-q", partition)
    let mount = try Mount(device: partition, at: folder.path, readOnly: true)
    merge.origin = disk.path
    try expectBusy(merge, disk.path)
    mount.unmount()
  }

  @Test(
    "a device that another program has opened exclusively is reported as busy", .needsLoopDevices)
  func heldExclusively() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let holder = try HeldFile.exclusively(device.path)
    try expectBusy(merge, device.path)
    try holder.close()
  }

  @Test("an origin file that backs a loop device is reported as busy", .needsLoopDevices)
  func underLoopDevice() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    try expectBusy(merge, merge.originFile)
    withExtendedLifetime(device) {}
  }

  @Test("a hard link to a file that backs a loop device is reported as busy", .needsLoopDevices)
  func linkUnderLoopDevice() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = merge.folder.path("link.img")
    try Program.mustRun("ln", merge.originFile, merge.origin)
    try expectBusy(merge, merge.origin)
    withExtendedLifetime(device) {}
  }

  @Test("an active swap file is reported as busy", .needsSwap)
  func swapFile() throws {
    let merge = try MergeCase()
    let swap = try SwapFile(
      at: merge.folder.path("swap.img"), byteCount: merge.before.count)
    merge.origin = swap.path
    try expectBusy(merge, swap.path)
    withExtendedLifetime(swap) {}
  }

  @Test("a symbolic link to an active swap file is reported as busy", .needsSwap)
  func linkToSwapFile() throws {
    let merge = try MergeCase()
    let swap = try SwapFile(
      at: merge.folder.path("swap.img"), byteCount: merge.before.count)
    merge.origin = merge.folder.path("link.img")
    try Program.mustRun("ln", "-s", swap.path, merge.origin)
    try expectBusy(merge, merge.origin)
    withExtendedLifetime(swap) {}
  }

  @Test("a file that another program has locked the way QEMU does is reported as busy")
  func openFileLock() throws {
    let merge = try MergeCase()
    let holder = try HeldFile.withOpenFileLock(merge.originFile)
    try expectBusy(merge, merge.originFile)
    try holder.close()
  }

  @Test("a file that another program has locked with flock is reported as busy")
  func fileLock() throws {
    let merge = try MergeCase()
    let holder = try HeldFile.withFileLock(merge.originFile)
    try expectBusy(merge, merge.originFile)
    try holder.close()
  }

  @Test("with --inactive, the metadata of an active pool is reported as busy", .needsLoopDevices)
  func activePool() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.metadataFile)
    merge.metadata = device.path
    let holder = try HeldFile.exclusively(device.path)
    try expectBusy(merge, device.path, options: ["--inactive"])
    try holder.close()
  }

  @Test("the metadata snapshot of an active pool can be read without --inactive", .needsLoopDevices)
  func metadataSnapshotOfActivePool() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.metadataFile)
    merge.metadata = device.path
    let holder = try HeldFile.exclusively(device.path)
    expectSuccess(try merge.merge())
    #expect(try merge.wrongSectors() == [])
    try holder.close()
  }

  @Test("a device can be merged onto once nothing else is using it", .needsLoopDevices)
  func released() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let holder = try HeldFile.exclusively(device.path)
    try expectBusy(merge, device.path)
    try holder.close()
    expectSuccess(try merge.mergeOntoDevice())
    #expect(try differingSectors(content(of: device.path), merge.expectedOrigin()) == [])
  }

  private func expectBusy(
    _ merge: MergeCase, _ path: String, options: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try content(of: merge.originFile)
    let result = try merge.mergeOntoDevice(options)
    expectError(result, exitStatus: 5, naming: path, sourceLocation: sourceLocation)
    #expect(
      try differingSectors(content(of: merge.originFile), before) == [],
      sourceLocation: sourceLocation)
    #expect(
      try !merge.folder.names().contains("device.journal"), sourceLocation: sourceLocation)
  }
}

@Suite("Command: concurrent merges", .waitsForPrograms)
struct TwoMergesTests {
  @Test("a second merge onto the same file is refused as busy, and the first completes correctly")
  func oneFile() throws {
    let merge = try MergeCase()
    let first = try merge.startMerge(MergeCase.slowly)
    try #require(try first.waitUntilCheckpoint(1, in: merge.journal))
    let second = try merge.merge(["--journal", merge.folder.path("second.journal")])
    expectError(second, exitStatus: 5, naming: merge.origin)
    expectSuccess(try first.wait())
    #expect(try merge.wrongSectors() == [])
  }

  @Test(
    "a second merge onto the same device is refused as busy, and the first completes correctly",
    .needsLoopDevices)
  func oneDevice() throws {
    let merge = try MergeCase()
    let device = try LoopDevice(backing: merge.originFile)
    merge.origin = device.path
    let first = try merge.startMerge(MergeCase.slowly + ["--yes", "--journal", merge.journal])
    try #require(try first.waitUntilCheckpoint(1, in: merge.journal))
    let second = try merge.mergeOntoDevice()
    expectError(second, exitStatus: 5, naming: device.path)
    expectSuccess(try first.wait())
    #expect(try differingSectors(content(of: device.path), merge.expectedOrigin()) == [])
  }

  @Test("resuming a running merge is refused as busy, and the merge completes correctly")
  func resumeOfRunningMerge() throws {
    let merge = try MergeCase()
    let first = try merge.startMerge(MergeCase.slowly)
    try #require(try first.waitUntilCheckpoint(1, in: merge.journal))
    #expect(try merge.resume().exitStatus == 5)
    expectSuccess(try first.wait())
    #expect(try merge.wrongSectors() == [])
  }

  @Test("restarting a running merge is refused as busy, and the journal stays in place")
  func restartOfRunningMerge() throws {
    let merge = try MergeCase()
    let first = try merge.startMerge(MergeCase.slowly)
    try #require(try first.waitUntilCheckpoint(1, in: merge.journal))
    #expect(try merge.merge(["--restart"]).exitStatus == 5)
    expectSuccess(try first.wait())
    #expect(try merge.newFiles() == ["origin.img.thin-merge"])
  }
}
