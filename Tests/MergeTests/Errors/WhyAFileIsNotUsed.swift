import Fixtures
import Foundation
import Testing

@testable import MergeEngine
@testable import thin_merge

/// Files and devices that are not there, not fit, or in use.
enum WhyAFileIsNotUsed {
  static let rows = notThere + notFit + inUse + noRoom

  private static let whereJournalsAre = "'thin-merge plan' says where the journal of a merge is"

  private static let notThere: [ErrorRow] = [
    ErrorRow(
      "no origin there", .refused,
      "cannot open the origin, FOLDER/nothing: No such file or directory",
      command: { merge in
        merge.origin = merge.folder.path("nothing")
        return try merge.merge()
      }),
    ErrorRow(
      "no metadata there", .refused,
      "cannot open the metadata device, FOLDER/nothing: No such file or directory",
      command: { merge in
        merge.metadata = merge.folder.path("nothing")
        return try merge.merge()
      }),
    ErrorRow(
      "no journal there", .refused,
      """
      cannot open the journal, FOLDER/origin.img.thin-merge: No such file or directory
      """, hints: [whereJournalsAre],
      command: { merge in try merge.resume() }),
    ErrorRow(
      "no journal there to say how far it is", .refused,
      "cannot open the journal, FOLDER/nothing: No such file or directory",
      hints: [whereJournalsAre],
      command: { merge in
        try ThinMergeCommand.run(["status", merge.folder.path("nothing")])
      }),
    ErrorRow(
      "no journal there to compare with", .refused,
      "cannot open the journal, FOLDER/nothing: No such file or directory",
      hints: [whereJournalsAre],
      command: { merge in
        try ThinMergeCommand.run(["verify", "--journal", merge.folder.path("nothing")])
      }),
    ErrorRow(
      "a folder as the journal", .refused,
      "cannot use the journal, FOLDER: it is a directory; a regular file is expected",
      command: { merge in try ThinMergeCommand.run(["status", merge.folder.path]) }),
    ErrorRow(
      "a character device as the journal", .refused,
      "cannot use the journal, /dev/null: it is a character device; a regular file is expected",
      command: { merge in try merge.merge(["--journal", "/dev/null"]) }),
    ErrorRow(
      "a directory", .refused,
      """
      cannot use the origin, FOLDER: it is a directory; a regular file or a block device \
      is expected
      """,
      command: { merge in
        merge.origin = merge.folder.path
        return try merge.merge()
      }),
    ErrorRow(
      "a character device", .refused,
      """
      cannot use the origin, /dev/null: it is a character device; a regular file or a \
      block device is expected
      """,
      command: { merge in
        merge.origin = "/dev/null"
        return try merge.merge()
      }),
    ErrorRow(
      "a pipe", .refused,
      """
      cannot use the data device, FOLDER/pipe: it is a pipe; a regular file or a block \
      device is expected
      """,
      command: { merge in
        merge.data = merge.folder.path("pipe")
        try Program.mustRun("mkfifo", merge.data)
        return try merge.merge()
      }),
    ErrorRow(
      "a socket", .refused,
      """
      cannot use the data device, FOLDER/socket: it is a socket; a regular file or a block \
      device is expected
      """,
      command: { merge in
        merge.data = merge.folder.path("socket")
        try Program.mustRun(
          "python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
          merge.data)
        return try merge.merge()
      }),
    ErrorRow(
      "a journal that is a symbolic link", .refused,
      """
      cannot use the journal, FOLDER/origin.img.thin-merge: it is a symbolic link; a \
      regular file is expected
      """, hints: ["give the path that it leads to"],
      command: { merge in
        try Program.mustRun("ln", "-s", merge.metadata, merge.journal)
        return try merge.resume()
      }),
    ErrorRow(
      "an origin that is elsewhere now", .busy,
      "cannot go on, FOLDER/origin.img: it is not there, or not there yet",
      hints: ["--origin says where it is now"],
      command: { merge in
        try merge.interruptEarly()
        try Program.mustRun("mv", merge.origin, merge.folder.path("moved.img"))
        return try merge.resume()
      }),
    ErrorRow(
      "a file that one may not write to", .refused,
      "cannot open the origin, FOLDER/origin.img: Permission denied",
      hints: ["root may use it, as a rule; 'ls -l' shows who else"],
      command: { merge in
        try Program.mustRun("chmod", "0777", merge.folder.path)
        try Program.mustRun("chmod", "0444", merge.origin)
        return try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder)
      }),
    ErrorRow(
      "a file that one may not look at", .refused,
      "cannot open the origin, FOLDER/hidden/origin.img: Permission denied",
      hints: ["root may use it, as a rule; 'ls -l' shows who else"],
      command: { merge in
        let hidden = merge.folder.path("hidden")
        try Program.mustRun("mkdir", "-m", "0700", hidden)
        try Program.mustRun("mv", merge.origin, hidden)
        merge.origin = hidden + "/origin.img"
        return try ThinMergeCommand.runAsNobody(merge.mergeArguments(), in: merge.folder)
      }),
  ]

  private static let notFit: [ErrorRow] = [
    ErrorRow(
      "the metadata as the data", .refused,
      """
      cannot use the data device, FOLDER/metadata.img: it is the metadata device, or \
      shares its blocks
      """, hints: ["--data is the pool's data device: the second in 'dmsetup table POOL'"],
      command: { merge in
        merge.data = merge.metadata
        return try merge.merge()
      }),
    ErrorRow(
      "the data as the origin", .refused,
      """
      cannot use the origin, FOLDER/data.img: it is the pool's data device \
      FOLDER/data.img, or shares its blocks
      """, hints: ["--origin is the external origin, which lies outside the pool"],
      command: { merge in
        merge.origin = merge.data
        return try merge.merge()
      }),
    ErrorRow(
      "the metadata as the origin", .refused,
      """
      cannot use the origin, FOLDER/metadata.img: it is the pool's metadata device \
      FOLDER/metadata.img, or shares its blocks
      """, hints: ["--origin is the external origin, which lies outside the pool"],
      command: { merge in
        merge.origin = merge.metadata
        return try merge.merge()
      }),
    ErrorRow(
      "a data file that is too short", .refused,
      """
      the data device is too short, FOLDER/data.img: it has 1048576 bytes; 256 blocks of \
      65536 are expected
      """, hints: ["is it the data device of the pool that the metadata is of?"],
      command: { merge in
        try Program.mustRun("truncate", "--size", "1M", merge.data)
        return try merge.merge()
      }),
    ErrorRow(
      "an origin that is too short", .refused,
      """
      the origin is too short, FOLDER/origin.img: it ends at byte 1048576, and 2 mapped \
      blocks lie behind or across that end
      """,
      hints: [
        """
        extend the origin, give --thin-size if the thin device ends there too, or choose \
        --past-end clip (leave them out) or --past-end grow (extend a regular file)
        """
      ],
      command: { merge in
        try Program.mustRun("truncate", "--size", "1M", merge.origin)
        return try merge.merge()
      }),
    ErrorRow(
      "a thin size that no device has", .refused,
      """
      cannot use the thin size, 18446744073709551615 bytes: 1 to 9223372036854775807 is \
      expected
      """, hints: ["'blockdev --getsize64' tells the size of a thin device"],
      command: { merge in
        try merge.merge(["--thin-size", "18446744073709551615"])
      }),
    ErrorRow(
      "another thin device's number", .refused,
      "no device 7 in the metadata, FOLDER/metadata.img: it has one other",
      hints: ["they are listed by: thin-merge devices --metadata FOLDER/metadata.img"],
      command: { merge in
        try ThinMergeCommand.run([
          "plan", "--metadata", merge.metadata, "--data", merge.data, "--dev-id", "7",
        ])
      }),
    ErrorRow(
      "another number where there are several", .refused,
      "no device 0 in the metadata, FOLDER/metadata.img: it has 2 others",
      hints: [
        """
        they are listed by: thin-merge devices --metadata FOLDER/metadata.img --inactive
        """
      ]
    ) {
      let pool = PoolImageBuilder(devices: [ThinDevice(1), ThinDevice(2)]).build()
      let merge = try MergeCase(pool: pool, originByteCount: 1 << 20)
      return try SaidError(merge.plan(["--inactive"])).naming([(merge.folder.path, "FOLDER")])
    },
    ErrorRow(
      "a comparison with what was not extended", .refused,
      """
      cannot compare, FOLDER/origin.img: the origin has 1048576 bytes and was not extended \
      to 1441792 yet
      """, hints: ["merge first, or compare what is there by --past-end clip"],
      command: { merge in
        try Program.mustRun("truncate", "--size", "1M", merge.origin)
        return try merge.verify(["--past-end", "grow"])
      }),
    ErrorRow(
      "a device that cannot grow", .refused,
      """
      cannot extend the origin, DEVICE: it is a block device; only a regular file can be \
      extended
      """, hints: ["extend the device first, or choose --past-end clip"]
    ) {
      let (merge, device) = try Self.ontoDevice()
      let result = try merge.mergeOntoDevice(["--past-end", "grow"])
      return try SaidError(result).naming([(device.path, "DEVICE")])
    },
    ErrorRow(
      "a device that is read-only", .refused,
      "cannot write to the origin, DEVICE: the device is read-only",
      hints: ["'blockdev --setrw DEVICE' lifts that, if it is meant to be written to"]
    ) {
      let (merge, device) = try Self.ontoDevice(readOnly: true)
      return try SaidError(merge.mergeOntoDevice()).naming([(device.path, "DEVICE")])
    },
  ]

  private static let inUse: [ErrorRow] = [
    ErrorRow(
      "a device that is held", .busy,
      """
      cannot open the origin, DEVICE: the device is in use: mounted, or held by another \
      program
      """, hints: ["see 'lsblk DEVICE' and 'lsof DEVICE' for who uses it"]
    ) {
      let (merge, device) = try Self.ontoDevice()
      return try withExtendedLifetime(HeldFile.exclusively(device.path)) {
        try SaidError(merge.mergeOntoDevice()).naming([(device.path, "DEVICE")])
      }
    },
    ErrorRow(
      "a file that is locked", .busy,
      """
      the origin is in use, FOLDER/origin.img: another program has it locked, perhaps \
      another merge
      """, hints: ["'lsof FOLDER/origin.img' shows which"],
      command: { merge in
        try withExtendedLifetime(HeldFile.withFileLock(merge.origin)) { try merge.merge() }
      }),
    ErrorRow(
      "a file that a virtual machine has", .busy,
      """
      the origin is in use, FOLDER/origin.img: another program holds a lock on it, perhaps \
      a virtual machine
      """, hints: ["'lsof FOLDER/origin.img' shows which; end it first"],
      command: { merge in
        try withExtendedLifetime(HeldFile.withOpenFileLock(merge.origin)) { try merge.merge() }
      }),
    ErrorRow(
      "a file that is swapped to", .busy,
      "the origin is in use, FOLDER/swap.img: the system swaps to it",
      hints: ["'swapoff FOLDER/swap.img' frees it"],
      command: { merge in
        let swap = try SwapFile(at: merge.folder.path("swap.img"), byteCount: merge.before.count)
        merge.origin = swap.path
        return try withExtendedLifetime(swap) { try merge.merge() }
      }),
    ErrorRow(
      "a file under a loop device", .busy,
      """
      the file is in use, FOLDER/origin.img: DEVICE lies over it: what uses that device \
      would not see the merge, or destroy it
      """, hints: ["'losetup -d DEVICE' frees it once nothing uses the device"]
    ) {
      let (merge, device) = try Self.ontoDevice()
      merge.origin = merge.originFile
      return try SaidError(merge.merge()).naming(
        [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
    },
    ErrorRow(
      "metadata under a loop device, of a pool said not to be active", .busy,
      """
      the file is in use, FOLDER/metadata.img: DEVICE lies over it: the pool may be active \
      on it
      """, hints: ["'losetup -d DEVICE' frees it once nothing uses the device"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.metadata)
      return try withExtendedLifetime(device) {
        try SaidError(merge.merge(["--inactive"])).naming(
          [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
      }
    },
  ]

  private static let noRoom: [ErrorRow] = [
    ErrorRow(
      "no folder for the journal", .refused,
      """
      cannot make the journal, FOLDER/nothing/journal: there is no folder FOLDER/nothing
      """, hints: ["make it, or give --journal with a path elsewhere"],
      command: { merge in
        try merge.merge(["--journal", merge.folder.path("nothing/journal")])
      }),
    ErrorRow(
      "the origin as the journal", .refused,
      """
      cannot use the journal, FOLDER/origin.img: it is FOLDER/origin.img itself, or shares \
      its blocks
      """, hints: ["give --journal with the path of a new file"],
      command: { merge in
        try merge.merge(["--journal", merge.origin])
      }),
    ErrorRow(
      "no folder for journals, and none can be made", .refused,
      "cannot make the folder for journals, /proc/journals: No such file or directory",
      hints: ["root may; --journal names another place"]
    ) {
      let (merge, device) = try Self.ontoDevice()
      let result = try ThinMergeCommand.run(
        merge.mergeArguments(["--yes"]), environment: ["STATE_DIRECTORY": "/proc/journals"])
      return try SaidError(result).naming([(device.path, "DEVICE")])
    },
    ErrorRow(
      "a journal in a read-only file system", .refused,
      "cannot make the journal, PLACE/journal: Read-only file system",
      hints: ["make its folder writable, or give --journal with a path elsewhere"]
    ) {
      let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
      try place.makeReadOnly()
      let merge = try MergeCase(scatteredBlocks: 8)
      return try SaidError(merge.merge(["--journal", place.path("journal")]))
        .naming([(place.path, "PLACE")])
    },
    ErrorRow(
      "a journal in a full file system", .refused,
      """
      no room for the journal, PLACE/journal: it may come to 77 KiB: No space left on \
      device
      """, hints: ["give --journal with a path on a file system that has the room"]
    ) {
      let place = try TemporaryFolder(onTmpfsOf: 1 << 16)
      _ = try Program.run(
        ["dd", "if=/dev/zero", "of=\(place.path("filler"))", "bs=4k", "count=13"])
      let merge = try MergeCase(scatteredBlocks: 8)
      return try SaidError(merge.merge(["--journal", place.path("journal")]))
        .naming([(place.path, "PLACE")])
    },
    ErrorRow(
      "a journal on a device of the merge", .refused,
      """
      cannot make the journal, PLACE/journal: its file system is on DEVICE, a device of \
      this merge
      """, hints: ["give --journal with a path on another file system"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      try Program.mustRun("mkfs.ext4", "-q", merge.data)
      let device = try LoopDevice(backing: merge.data)
      let folder = try TemporaryFolder()
      let mount = try Mount(device: device.path, at: folder.path)
      defer { mount.unmount() }
      merge.data = device.path
      return try SaidError(merge.merge(["--journal", folder.path("journal")]))
        .naming([(device.path, "DEVICE"), (folder.path, "PLACE")])
    },
    ErrorRow(
      "no room for the holes of a sparse origin", .refused,
      """
      no room for the holes of the origin, PLACE/origin.img: bytes 786432 to 851968: No \
      space left on device
      """, hints: ["make room on its file system, then give the same command again"]
    ) {
      let place = try TemporaryFolder(onTmpfsOf: 1 << 18)
      let merge = try MergeCase(scatteredBlocks: 8)
      merge.origin = place.path("origin.img")
      try Program.mustRun("truncate", "--size", "\(merge.before.count)", merge.origin)
      return try SaidError(merge.merge(["--journal", merge.journal]))
        .naming([(place.path, "PLACE")])
    },
    ErrorRow(
      "a report that cannot be written", .stopped,
      "could not write the report, standard output: No space left on device",
      hints: ["what was done is done, and only its report is lost"]
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      return try SaidError(
        merge.plan(["--output", "json"], standardOutput: "/dev/full"))
    },
    ofValue(
      "no memory for buffers", .refused,
      "cannot take buffers, memory: 1 PiB wanted: Cannot allocate memory",
      hints: ["a smaller --io-size or --queue-depth takes less"]
    ) { () throws(MergeError) in
      _ = try BufferSlab(byteCount: 1 << 50)
    },
    ofValue(
      "buffers beyond all memory", .refused,
      "cannot take buffers, memory: 8 EiB are more than a program can have"
    ) { () throws(MergeError) in
      _ = try BufferSlab(byteCount: .max)
    },
    ofValue(
      "requests of the kernel that are all in use", .busy,
      """
      cannot start asynchronous I/O, the kernel: all its requests (fs.aio-max-nr) are in \
      use
      """, hints: ["'sysctl fs.aio-max-nr=1048576' allows more"]
    ) { () throws(MergeError) in
      _ = try LinuxAIO(
        requestCount: 1_000_000, atLeast: 1_000_000, slabByteCount: 4096, files: [:],
        clock: ThisSystem.clock)
    },
    ofValue(
      "more requests than a kernel has", .refused,
      "cannot start asynchronous I/O, the kernel: Invalid argument",
      hints: [
        "the kernel has to be one with CONFIG_AIO, and a sandbox, such as a container's seccomp profile, has to "
          + "allow io_setup, io_submit, io_getevents, io_pgetevents and io_destroy"
      ]
    ) { () throws(MergeError) in
      _ = try LinuxAIO(
        requestCount: Int(Int32.max), atLeast: Int(Int32.max), slabByteCount: 4096, files: [:],
        clock: ThisSystem.clock)
    },
  ]

  /// An error as the engine words it, where no command line comes to it.
  private static func ofValue(
    _ situation: String, _ exitStatus: ExitStatus, _ message: String, hints: [String] = [],
    make: @escaping @Sendable () throws(MergeError) -> Void
  ) -> ErrorRow {
    ErrorRow(situation, exitStatus, message, hints: hints) {
      do throws(MergeError) {
        try make()
      } catch {
        return SaidError(error)
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

@Suite(
  "Errors: why a file or device is not used", .waitsForPrograms, .needsLoopDevices, .needsSwap,
  .needsTmpfs, .needsExt4, .needsPython)
struct FileErrorTests {
  @Test("in these words", arguments: WhyAFileIsNotUsed.rows.filter(\.canBeMet))
  func words(row: ErrorRow) throws { try row.check() }
}
