import SystemPackage

@testable import MergeEngine
@testable import thin_merge

/// Sample reports about the same merge, one of each kind.
enum SampleReport {
  static let source = MergeSource(
    metadataPath: "/dev/pool meta", dataPath: "data.img", deviceID: 7)

  static let reported = ReportedSource(
    deviceID: 7, metadataPath: source.metadataPath, dataPath: source.dataPath)

  static let plan = PlanReport(
    deviceID: 7, blockByteCount: 65536, mappedBlockCount: 100, runCount: 3, byteCount: 6_553_600,
    pastEndBlockCount: 0, clippedByteCount: 0, thinByteCount: 1 << 30,
    thinByteCountIsAssumed: true, originByteCount: 1 << 30, grownOriginByteCount: nil,
    journalByteCountMax: 12288, journalPath: "/base.img.thin-merge",
    fingerprint: "0123456789abcdef-01234567", transactionID: 5, heldRoot: 42, otherDeviceCount: 1,
    layout: MappingLayout(
      runLengths: [
        MappingLayout.RunLength(byteCountMin: 2 << 20, runCount: 3, byteCount: 6_553_600)
      ],
      endByteOffset: 1 << 30, cellByteCount: 1 << 29, cells: [6_553_600, 0]))

  static let stop = MergeError(
    .cannotWriteOrigin, .stopped, "could not write", at: "base.img",
    because: "Input/output error at byte 4096",
    hint: "look at the kernel's log")

  static var merge: MergeReport {
    MergeReport(
      plan: plan, state: .finished, writtenByteCount: 6_553_600, resumedFromByteCount: 0,
      recheckedByteCount: 0, rewrittenByteCount: 0, duration: .milliseconds(2500),
      submitDuration: .milliseconds(20), checkpointCount: 2, verification: nil,
      journalPath: "base.img.thin-merge", unreadable: [])
  }

  static var verification: VerifyReport {
    VerifyReport(
      granularity: .sector, comparedByteCount: 6_553_600, differingByteCount: 0, differences: [],
      unreadable: [], duration: .seconds(1), incomplete: nil)
  }

  static var status: StatusReport {
    StatusReport(
      state: .stopped, doneByteCount: 3 << 30, totalByteCount: 4 << 30,
      writingSeconds: 30, runCount: 2, begunSeconds: 0, recordedSeconds: 86_461,
      metadataPath: "meta", dataPath: "data", originPath: "base.img", originName: nil, deviceID: 7,
      isHandedOver: false, unreadable: [], journalPath: "/base.img.thin-merge")
  }
}

extension PoolLeftovers {
  /// Sample pool leftovers: every kind, with all optional values unknown, and none at all.
  static var samples: [PoolLeftovers] {
    var full = PoolLeftovers(
      poolName: "pool", state: .active, recordPath: "/s/pools/POOL-1.json", recordedSeconds: .max,
      metadataSnapshot: MetadataSnapshot(
        block: .max, owner: .recorded, maybeOnlyCopyOf: 16_777_215, isUndone: true))
    full.snapshots = [
      Snapshot(
        deviceID: 16_777_215, originalID: 0, originName: "dm-1", use: .unfinishedMerge,
        isThere: true, byteCount: .max, suspendedDevicePath: "/dev/mapper/vm"),
      Snapshot(deviceID: 16_711_680, originalID: 1, use: .none),
    ]
    full.removedDevices = [
      RemovedDevice(
        path: "/dev/mapper/vg-vm", volumeName: "vg/vm", isPutBack: true, isActive: false),
      RemovedDevice(path: "/dev/mapper/vm", isPutBack: false, isActive: true, isUndone: true),
    ]
    full.writableLayers = [
      WritableLayer(path: "/dev/mapper/base", isWritable: true),
      WritableLayer(path: "/dev/mapper/gone", isWritable: nil, isUndone: true),
    ]
    full.journals = [
      Journal(path: "/s/\u{10FFFF}.journal", deviceID: 5, originPath: "/dev/mapper/base")
    ]
    full.notUndone = [.notUndone(.cannotAskPool("pool", .ioError))]
    var unreadable = PoolLeftovers(state: .notActive)
    unreadable.metadataSnapshot = MetadataSnapshot(owner: .maybe)
    unreadable.error = .poolRecordDamaged("POOL-2", "/s/pools/POOL-2.json")
    var foreign = PoolLeftovers(poolName: "other", state: .active)
    foreign.metadataSnapshot = MetadataSnapshot(block: 7, owner: .unrecorded)
    let inUse = PoolLeftovers(
      poolName: "busy", state: .inUse, recordPath: "/s/pools/POOL-3.json", recordedSeconds: 0,
      metadataSnapshot: MetadataSnapshot(block: 9, owner: .recorded, maybeOnlyCopyOf: 5))
    return [full, foreign, inUse, unreadable, PoolLeftovers(poolName: "empty", state: .active)]
  }
}

extension Leftovers {
  static var samples: Leftovers {
    var full = OriginLeftovers(recordPath: "/s/origins/name-base.json", recordedSeconds: .max)
    full.writableLayers = [
      .init(path: "/dev/mapper/base-real", isWritable: true),
      .init(path: "/dev/mapper/base", isWritable: false, isUndone: true),
    ]
    full.notUndone = [.cannotRestoreReadOnly("/dev/mapper/base-real", .resourceBusy)]
    var unreadable = OriginLeftovers(recordPath: "/s/origins/\u{10FFFF}.json")
    unreadable.error = .cannotReadOriginRecord("/o", "/s/origins/\u{10FFFF}.json")
    let inUse = OriginLeftovers(
      recordPath: "/s/origins/busy.json", recordedSeconds: 0, isInUse: true)
    return Leftovers(pools: PoolLeftovers.samples, origins: [full, unreadable, inUse])
  }
}
