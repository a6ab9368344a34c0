import MergeEngine

/// Rules that every merge must follow in its requests to devices.
struct MergeRules {
  private var originWasWritten = false

  mutating func beginRun() { originWasWritten = false }

  /// Stops the disk if a request breaks a rule.
  mutating func check(_ request: IORequest, on disk: SimulatedDisk) {
    guard request.operation == .write else { return }
    let end = request.byteOffset + UInt64(request.byteCount)
    switch DiskFaults.Device(request.file) {
    case .metadata, .data: disk.stop("a write to the source: \(request)")
    case .target:
      if end > disk[.target].byteCount { disk.stop("a write behind the origin's end: \(request)") }
      let isLying = disk.faults.lyingFlushes.contains(.journal)
      if !originWasWritten, !isLying, disk.devices[.journal]?.isDurable == false {
        disk.stop("a write to the origin before the journal is durable")
      }
      originWasWritten = true
    case .journal:
      let alignment: UInt64 = 4096
      let journalEnd = disk[.journal].byteCount
      if request.byteOffset != journalEnd.roundedUp(toMultipleOf: alignment) {
        disk.stop("an append at byte \(request.byteOffset) of a journal of \(journalEnd)")
      }
      if !UInt64(request.byteCount).isMultiple(of: alignment) {
        disk.stop("an append of \(request.byteCount) bytes shares a block with the next")
      }
    }
  }
}
