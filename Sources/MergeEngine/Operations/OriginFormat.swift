/// Prevents a merge from overwriting a container format or a LUKS header.
extension OpenDevices {
  /// Refuses an origin file that is a container, and an origin whose LUKS header the merge would
  /// replace with other data.
  ///
  /// A container on a block device may be intentional, so it is only reported in a note.
  ///
  /// - `isForced`: true to report a format in a note instead of refusing the origin.
  /// - Throws: `MergeError` (`refused`) if the origin's format rules out the merge.
  func checkFormat(
    of origin: OpenFile, _ plan: MergePlan, isForced: Bool, in environment: Environment
  ) throws(MergeError) {
    guard plan.byteCount > 0 else { return }
    var found = try format(of: origin, in: environment)
    if found == nil { found = try formatOfFile(under: origin, in: environment) }
    guard let format = found else { return }
    let refusal: MergeError
    switch format {
    case .container(let container):
      let isFile = origin.kind == .regularFile || LoopDevice.isFile(under: origin.deviceNumber)
      guard isFile, !isForced else {
        return environment.observer.note(.originHasFormat(origin.path, container.rawValue))
      }
      refusal = .originIsContainer(origin.path, container.rawValue)
    case .luks:
      guard let block = plan.firstDataBlock else { return }
      let first = try bytes(
        of: data, as: .data, from: block.rawValue * plan.dataBlockByteCount,
        count: DiskFormat.firstByteCount, in: environment)
      guard first.flatMap({ DiskFormat(first: $0) }) != format else { return }
      refusal = .originIsLUKS(origin.path)
    }
    guard isForced else { throw refusal }
    environment.observer.note(.originHasFormat(origin.path, "LUKS"))
  }

  /// Returns the container format of the file under a loop device that exposes only part of that
  /// file; nil if there is none.
  private func formatOfFile(
    under origin: OpenFile, in environment: Environment
  ) throws(MergeError) -> DiskFormat? {
    guard origin.kind == .blockDevice, LoopDevice.isFile(under: origin.deviceNumber),
      let file = StorageExtent(origin).openFile(),
      case .container(let container)? = try format(of: file, in: environment)
    else { return nil }
    return .container(container)
  }

  private func format(
    of origin: OpenFile, in environment: Environment
  ) throws(MergeError) -> DiskFormat? {
    let lastByteCount = UInt64(DiskFormat.lastByteCount)
    guard
      let first = try bytes(
        of: origin, as: .target, from: 0, count: DiskFormat.firstByteCount, in: environment)
    else { return nil }
    let last =
      origin.byteCount < lastByteCount
      ? nil
      : try bytes(
        of: origin, as: .target, from: origin.byteCount - lastByteCount,
        count: DiskFormat.lastByteCount, in: environment)
    return DiskFormat(first: first, last: last ?? [])
  }

  /// Reads from a file, bypassing the page cache.
  ///
  /// Returns fewer bytes if the file ends early, and nil after a read error.
  private func bytes(
    of file: OpenFile, as name: IOFile, from byteOffset: UInt64, count: Int,
    in environment: Environment
  ) throws(MergeError) -> [UInt8]? {
    let unit = UInt64(max(file.alignmentByteCount, 4096))
    let first = byteOffset / unit * unit
    let skipped = Int(byteOffset - first)
    let byteCount = Int(UInt64(skipped + count).roundedUp(toMultipleOf: unit))
    var io = try LinuxAIO(
      requestCount: 0, slabByteCount: byteCount, files: [name: file], clock: environment.clock)
    let result = io.perform(
      IORequest(.read, name, byteOffset: first, byteCount: byteCount, tag: 0))
    guard result >= 0 else { return nil }
    let start = min(skipped, Int(result))
    let end = min(skipped + count, Int(result))
    return io.bytes(at: 0, count: Int(result)).copiedBytes(at: start, count: end - start)
  }
}
