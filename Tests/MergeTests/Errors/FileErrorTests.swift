import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

@Suite(
  "Errors: unusable files and devices", .waitsForPrograms, .needsLoopDevices,
  .needsSwap, .needsTmpfs, .needsExt4, .needsPython)
struct FileErrorTests {
  @Test(
    "every unusable file or device causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations = notThere + notFit + inUse + noRoom

  private static let notThere: [ErrorSituation] = [
    ErrorSituation(
      "the origin is not there", "cannot-open", .refused,
      command: { merge in
        merge.origin = merge.folder.path("nothing")
        return try merge.merge()
      }),
    ErrorSituation(
      "the metadata device is not there", "cannot-open", .refused,
      command: { merge in
        merge.metadata = merge.folder.path("nothing")
        return try merge.merge()
      }),
    ErrorSituation(
      "the journal to be resumed from is not there", "no-journal", .refused,
      command: { merge in try merge.resume() }),
    ErrorSituation(
      "the journal whose status is asked for is not there", "no-journal", .refused,
      command: { merge in
        try ThinMergeCommand.run(["status", merge.folder.path("nothing")])
      }),
    ErrorSituation(
      "the journal to compare with is not there", "no-journal", .refused,
      command: { merge in
        try ThinMergeCommand.run(["verify", "--journal", merge.folder.path("nothing")])
      }),
    ErrorSituation(
      "the journal is a folder", "wrong-file-kind", .refused,
      command: { merge in try ThinMergeCommand.run(["status", merge.folder.path]) }),
    ErrorSituation(
      "the journal is a character device", "wrong-file-kind", .refused,
      command: { merge in try merge.merge(["--journal", "/dev/null"]) }),
    ErrorSituation(
      "the origin is a folder", "wrong-file-kind", .refused,
      command: { merge in
        merge.origin = merge.folder.path
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin is a character device", "wrong-file-kind", .refused,
      command: { merge in
        merge.origin = "/dev/null"
        return try merge.merge()
      }),
    ErrorSituation(
      "the data device is a pipe", "wrong-file-kind", .refused,
      command: { merge in
        merge.data = merge.folder.path("pipe")
        try Program.mustRun("mkfifo", merge.data)
        return try merge.merge()
      }),
    ErrorSituation(
      "the data device is a socket", "wrong-file-kind", .refused,
      command: { merge in
        merge.data = merge.folder.path("socket")
        try Program.mustRun(
          "python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
          merge.data)
        return try merge.merge()
      }),
    ErrorSituation(
      "the journal is a symbolic link", "wrong-file-kind", .refused,
      command: { merge in
        try Program.mustRun("ln", "-s", merge.metadata, merge.journal)
        return try merge.resume()
      }),
    ErrorSituation(
      "the origin of a resumed merge is not at its path", "device-missing", .busy,
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("mv", merge.origin, merge.folder.path("moved.img"))
        return try merge.resume()
      }),
    ErrorSituation("the origin is a device of 0 bytes", "device-missing", .busy) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try Program.mustRun("truncate", "--size", "0", merge.originFile)
      let device = try LoopDevice(backing: merge.originFile)
      merge.origin = device.path
      return try ReportedError(merge.mergeOntoDevice()).followed().naming([(device.path, "DEVICE")])
    },
    ErrorSituation(
      "a device of 0 bytes is compared with a journal", "device-missing", .busy
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      expectSuccess(try merge.merge())
      let empty = merge.folder.path("empty.img")
      try Data().write(to: URL(filePath: empty))
      let device = try LoopDevice(backing: empty)
      let result = try ThinMergeCommand.run(
        ["verify", "--journal", merge.journal, "--origin", device.path])
      return try ReportedError(result).followed().naming([(device.path, "DEVICE")])
    },
    ErrorSituation(
      "the origin may not be written to by the user", "cannot-open", .refused,
      command: { merge in
        try Program.mustRun("chmod", "0777", merge.folder.path)
        try Program.mustRun("chmod", "0444", merge.origin)
        return try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder)
      }),
    ErrorSituation(
      "the origin is in a folder that the user may not search", "cannot-open", .refused,
      command: { merge in
        let hidden = merge.folder.path("hidden")
        try Program.mustRun("mkdir", "-m", "0700", hidden)
        try Program.mustRun("mv", merge.origin, hidden)
        merge.origin = hidden + "/origin.img"
        return try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder)
      }),
  ]

  private static let notFit: [ErrorSituation] = [
    ErrorSituation(
      "the data device is the metadata device", "data-is-metadata", .refused,
      command: { merge in
        merge.data = merge.metadata
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin is the data device", "origin-is-pool-device", .refused,
      command: { merge in
        merge.origin = merge.data
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin is the metadata device", "origin-is-pool-device", .refused,
      command: { merge in
        merge.origin = merge.metadata
        return try merge.merge()
      }),
    ErrorSituation(
      "the data device ends before the last block that is mapped", "data-too-short", .refused,
      command: { merge in
        try Program.mustRun("truncate", "--size", "300K", merge.data)
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin is a qcow2 image", "origin-is-container", .refused,
      command: { merge in
        try merge.beginOrigin(with: [0x51, 0x46, 0x49, 0xFB])
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin has a LUKS header, and the thin device none", "origin-is-luks", .refused,
      command: { merge in
        try merge.beginOrigin(with: Array("LUKS".utf8) + [0xBA, 0xBE, 0, 2])
        return try merge.merge()
      }),
    ErrorSituation(
      "the origin ends before the last mapped block", "origin-too-short", .refused,
      command: { merge in
        try Program.mustRun("truncate", "--size", "1M", merge.origin)
        return try merge.merge()
      }),
    ErrorSituation(
      "the thin size is larger than any device", "thin-size-invalid", .refused,
      command: { merge in
        try merge.merge(["--thin-size", "18446744073709551615"])
      }),
    ErrorSituation(
      "the metadata has one thin device, of another number", "no-such-thin-device-id", .refused,
      command: { merge in
        try ThinMergeCommand.run([
          "plan", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "7",
        ])
      }),
    ErrorSituation(
      "the metadata of an inactive pool has two thin devices, of other numbers",
      "no-such-thin-device-id",
      .refused
    ) {
      let pool = PoolImageBuilder(devices: [ThinDevice(1), ThinDevice(2)]).build()
      let merge = try MergeCase(pool: pool, originByteCount: 1 << 20)
      return try ReportedError(merge.plan(["--inactive"])).followed().naming([
        (merge.folder.path, "FOLDER")
      ])
    },
    ErrorSituation(
      "an origin that was not extended yet is compared", "origin-not-extended", .refused,
      command: { merge in
        try Program.mustRun("truncate", "--size", "1M", merge.origin)
        return try merge.verify(["--past-end", "grow"])
      }),
    ErrorSituation("a block device is to be extended", "origin-not-extensible", .refused) {
      let (merge, device) = try Self.ontoDevice()
      let result = try merge.mergeOntoDevice(["--past-end", "grow"])
      return try ReportedError(result).followed().naming([(device.path, "DEVICE")])
    },
    ErrorSituation("the origin is a read-only device", "device-read-only", .refused) {
      let (merge, device) = try Self.ontoDevice(readOnly: true)
      return try ReportedError(merge.mergeOntoDevice()).followed().naming([(device.path, "DEVICE")])
    },
  ]

  private static let inUse: [ErrorSituation] = [
    ErrorSituation("another program holds the origin exclusively", "device-in-use", .busy) {
      let (merge, device) = try Self.ontoDevice()
      return try withExtendedLifetime(HeldFile.exclusively(device.path)) {
        try ReportedError(merge.mergeOntoDevice()).followed().naming([(device.path, "DEVICE")])
      }
    },
    ErrorSituation(
      "another program has locked the origin", "origin-locked", .busy,
      command: { merge in
        try withExtendedLifetime(HeldFile.withFileLock(merge.origin)) { try merge.merge() }
      }),
    ErrorSituation(
      "another program has locked a part of the origin", "origin-part-locked", .busy,
      command: { merge in
        try withExtendedLifetime(HeldFile.withOpenFileLock(merge.origin)) { try merge.merge() }
      }),
    ErrorSituation(
      "the system swaps to the origin", "origin-is-swap", .busy,
      command: { merge in
        let swap = try SwapFile(at: merge.folder.path("swap.img"), byteCount: merge.before.count)
        merge.origin = swap.path
        return try withExtendedLifetime(swap) { try merge.merge() }
      }),
    ErrorSituation("a loop device lies over the origin", "under-loop-device", .busy) {
      let (merge, device) = try Self.ontoDevice()
      merge.origin = merge.originFile
      return try ReportedError(merge.merge()).followed().naming(
        [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
    },
    ErrorSituation(
      "a loop device lies over the metadata of an inactive pool", "under-loop-device", .busy
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.metadata)
      return try withExtendedLifetime(device) {
        try ReportedError(merge.merge(["--inactive"])).followed().naming(
          [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
      }
    },
  ]

  private static let noRoom: [ErrorSituation] = [
    ErrorSituation(
      "the folder of the journal is not there", "no-journal-folder", .refused,
      command: { merge in
        try merge.merge(["--journal", merge.folder.path("nothing/journal")])
      }),
    ErrorSituation(
      "the journal is the origin", "journal-is-device", .refused,
      command: { merge in
        try merge.merge(["--journal", merge.origin])
      }),
    ErrorSituation(
      "the folder of all journals cannot be made", "cannot-make-state-folder", .refused
    ) {
      let (merge, device) = try Self.ontoDevice()
      let result = try ThinMergeCommand.run(
        merge.mergeArguments(["--yes"]), environment: ["STATE_DIRECTORY": "/proc/journals"])
      return try ReportedError(result).followed().naming([(device.path, "DEVICE")])
    },
    ErrorSituation("the file system of the journal is read-only", "cannot-make-journal", .refused) {
      let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
      try place.makeReadOnly()
      let merge = try MergeCase(scatteredBlocks: 8)
      return try ReportedError(merge.merge(["--journal", place.path("journal")]))
        .naming([(place.path, "PLACE")])
    },
    ErrorSituation("the file system of the journal is full", "no-room-for-journal", .refused) {
      let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
      _ = try Program.run(
        ["dd", "if=/dev/zero", "of=\(place.path("filler"))", "bs=4k", "count=13"])
      let merge = try MergeCase(scatteredBlocks: 8)
      return try ReportedError(merge.merge(["--journal", place.path("journal")]))
        .naming([(place.path, "PLACE")])
    },
    ErrorSituation(
      "the file system of the journal is on the data device", "journal-on-device", .refused
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try Program.mustRun("mkfs.ext4", "-q", merge.data)
      let device = try LoopDevice(backing: merge.data)
      let folder = try TemporaryFolder()
      let mount = try Mount(device: device.path, at: folder.path)
      defer { mount.unmount() }
      merge.data = device.path
      return try ReportedError(merge.merge(["--journal", folder.path("journal")]))
        .naming([(device.path, "DEVICE"), (folder.path, "PLACE")])
    },
    ErrorSituation(
      "the file system of the journal has neither links nor a safe rename", "cannot-name-journal",
      .refused,
      command: { merge in
        try merge.merge(
          under: [
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=link,linkat,renameat2", "-e",
            "inject=link,linkat,renameat2:error=EINVAL",
          ])
      }),
    ErrorSituation("the file system of a sparse origin is full", "no-room-for-holes", .refused) {
      let place = try TemporaryFolder(onTmpfsOf: 1 << 18)
      let merge = try MergeCase(scatteredBlocks: 8)
      merge.origin = place.path("origin.img")
      try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
      return try ReportedError(merge.merge(["--journal", merge.journal]))
        .naming([(place.path, "PLACE")])
    },
    ErrorSituation("standard output is full", "report-not-written", .reportLost) {
      let merge = try MergeCase(scatteredBlocks: 8)
      return try ReportedError(
        merge.plan(["--output", "json"], standardOutput: "/dev/full"))
    },
    ofValue("the system has no memory for buffers", "no-memory", .refused) {
      () throws(MergeError) in
      _ = try BufferSlab(byteCount: 1 << 50)
    },
    ofValue("the buffers are larger than all addresses", "buffers-too-large", .refused) {
      () throws(MergeError) in
      _ = try BufferSlab(byteCount: .max)
    },
    ofValue("the kernel's requests are all in use", "requests-used-up", .busy) {
      () throws(MergeError) in
      _ = try LinuxAIO(
        requestCount: 1_000_000, atLeast: 1_000_000, slabByteCount: 4096, files: [:],
        clock: ThisSystem.clock)
    },
    ofValue("more requests are asked for than a kernel has", "no-asynchronous-io", .refused) {
      () throws(MergeError) in
      _ = try LinuxAIO(
        requestCount: Int(Int32.max), atLeast: Int(Int32.max), slabByteCount: 4096, files: [:],
        clock: ThisSystem.clock)
    },
  ]

  /// Returns a situation that consists of an engine error that no command line in a test can
  /// produce.
  private static func ofValue(
    _ name: String, _ code: String, _ exitStatus: ExitStatus,
    make: @escaping @Sendable () throws(MergeError) -> Void
  ) -> ErrorSituation {
    ErrorSituation(name, code, exitStatus) {
      do throws(MergeError) {
        try make()
      } catch {
        return ReportedError(error)
      }
      throw SupportError("no error")
    }
  }

  private static func ontoDevice(readOnly: Bool = false) throws -> (MergeCase, LoopDevice) {
    let merge = try MergeCase(scatteredBlocks: 8)
    let device = try LoopDevice(backing: merge.originFile, readOnly: readOnly)
    merge.origin = device.path
    return (merge, device)
  }
}

extension MergeCase {
  fileprivate func plan(_ options: [String], standardOutput path: String) throws -> CommandResult {
    let words = [ThinMergeCommand.binaryPath, "plan"] + sourceArguments + options
    return try Program.run(["sh", "-c", "exec \"$@\" > \(path)", "sh"] + words)
  }
}

extension MergeCase {
  fileprivate func beginOrigin(with bytes: [UInt8]) throws {
    let file = try FileHandle(forUpdating: URL(filePath: originFile))
    try file.write(contentsOf: Data(bytes))
    try file.close()
  }
}
