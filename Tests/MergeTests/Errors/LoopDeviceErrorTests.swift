import Foundation
import Testing

@testable import thin_merge

@Suite(
  "Errors: loop devices and other uses of the origin's file", .waitsForPrograms,
  .needsLoopDevices)
struct LoopDeviceErrorTests {
  @Test(
    "every problem with a loop device causes the expected error code and exit status",
    arguments: situations)
  func situation(_ situation: ErrorSituation) throws { try situation.check() }

  static let situations: [ErrorSituation] = [
    ErrorSituation(
      "there is no sysfs to show loop devices", "loop-devices-unseen", .refused,
      command: { merge in
        try merge.merge(under: [
          "unshare", "--mount", "sh", "-c", "umount -R -l /sys && exec \"$@\"", "sh",
        ])
      }),
    ErrorSituation(
      "there is no sysfs to show what the origin's device is", "device-unseen", .refused
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.dataFile)
      merge.origin = device.path
      return try ReportedError(
        merge.merge(
          ["--yes", "--past-end", "clip"],
          under: [
            "unshare", "--mount", "sh", "-c", "umount -R -l /sys && exec \"$@\"", "sh",
          ])
      ).naming([
        (merge.folder.path, "FOLDER"), (device.path, "DEVICE"),
        ("block/7:" + device.path.dropFirst("/dev/loop".count), "block/NUMBER"),
      ])
    },
    ErrorSituation(
      "the file under the origin was deleted", "loop-devices-unseen", .refused
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.originFile)
      try FileManager.default.removeItem(atPath: merge.originFile)
      merge.origin = device.path
      return try ReportedError(merge.mergeOntoDevice()).followed().naming(
        [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
    },
    ErrorSituation("another loop device lies over the origin's file", "under-loop-device", .busy) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.originFile)
      let other = try LoopDevice(backing: merge.originFile)
      merge.origin = device.path
      return try ReportedError(merge.mergeOntoDevice()).followed().naming(
        [(merge.folder.path, "FOLDER"), (device.path, "DEVICE"), (other.path, "OTHER")])
    },
    ErrorSituation("another program has locked the file under the origin", "origin-locked", .busy) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.originFile)
      merge.origin = device.path
      return try withExtendedLifetime(HeldFile.withFileLock(merge.originFile)) {
        try ReportedError(merge.mergeOntoDevice()).followed().naming(
          [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
      }
    },
    ErrorSituation(
      "another program has locked a part of the file under the origin", "origin-part-locked", .busy
    ) {
      let merge = try MergeCase(scatteredBlocks: 8)
      let device = try LoopDevice(backing: merge.originFile)
      merge.origin = device.path
      return try withExtendedLifetime(HeldFile.withOpenFileLock(merge.originFile)) {
        try ReportedError(merge.mergeOntoDevice()).followed().naming(
          [(merge.folder.path, "FOLDER"), (device.path, "DEVICE")])
      }
    },
  ]
}
