internal import CAIO
internal import Glibc
internal import SystemPackage

/// Finds loop devices and their backing files or devices.
package enum LoopDevice {
  /// The part of a file or device that a loop device maps.
  struct View {
    var layer: StorageStack.Layer
    var byteOffset: UInt64
    /// The number of bytes mapped; nil if the mapping extends to the end of the backing file or
    /// device.
    var byteCount: UInt64?
  }

  /// The state of a loop device, as the kernel reports it.
  enum State {
    /// The device is not a loop device, or is a loop device that is not attached to anything.
    case unused
    case shows(View)
    /// The loop device is in use, but its backing file or device cannot be determined.
    case unseen(node: String, Errno)
  }

  /// The result of searching for a loop device that maps certain bytes.
  enum Search {
    case none
    /// A loop device was found; the value is its path.
    case found(String)
    case unseen(LoopBlindness)
  }

  /// Returns the backing file or device of a loop device; nil if there is none or it cannot be
  /// determined.
  static func backing(of number: DeviceNumber) -> StorageStack.Layer? {
    switch state(of: number) {
    case .shows(let view): view.layer
    case .unused: nil
    // If the path in sysfs leads to the wrong file, that file simply matches nothing.
    case .unseen: viewBySysfs(of: number)?.layer
    }
  }

  /// The maximum time to wait for a loop device that is being detached.
  private static var detachTimeMax: Duration { .seconds(2) }

  /// Returns the current state of a loop device, waiting briefly if the device is being detached.
  static func state(of number: DeviceNumber, clock: Clock = ThisSystem.clock) -> State {
    let deadline = clock.now() + detachTimeMax
    while true {
      let state = stateNow(of: number)
      // A loop device that is being detached may still write to its file. It is in use but cannot
      // be opened: `lo_open` in `loop.c`.
      guard case .unseen(_, .noSuchAddressOrDevice) = state, clock.now() < deadline else {
        return state
      }
      clock.sleep(.milliseconds(10))
    }
  }

  private static func stateNow(of number: DeviceNumber) -> State {
    let folder = folder(of: number)
    guard FileSystem.exists(folder) else { return .unused }
    let node = FileSystem.node(of: number) ?? "/dev/loop\(number.minor)"
    let descriptor = unsafe open(node.systemPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let errno = Errno.current
      guard FileSystem.exists(folder) else { return .unused }
      // The user may not open the node, which is normally reserved for root. The path that sysfs
      // shows is in the user's own mount namespace; if it leads nowhere, the backing file is not
      // one of the user's files.
      guard errno == .permissionDenied else { return .unseen(node: node, errno) }
      return viewBySysfs(of: number).map { .shows($0) } ?? .unused
    }
    let owner = OwnedDescriptor(takingOwnershipOf: descriptor)
    guard
      let status = try? FileStatus(descriptor: owner.rawValue, path: node, role: "loop device"),
      status.isBlockDevice, status.deviceItself == number
    else { return .unseen(node: node, Errno(rawValue: ENODEV)) }
    var loop = caio_loop()
    // SAFETY: the call fills the given structure.
    guard unsafe caio_loop_status(owner.rawValue, &loop) == 0 else {
      let errno = Errno.current
      return errno == .noSuchAddressOrDevice ? .unused : .unseen(node: node, errno)
    }
    return .shows(
      View(
        layer: loop.block_device != 0
          ? .device(DeviceNumber(packed: loop.block_device))
          : .file(device: DeviceNumber(packed: loop.device), inode: loop.inode),
        byteOffset: loop.byte_offset, byteCount: loop.byte_count == 0 ? nil : loop.byte_count))
  }

  private static func folder(of number: DeviceNumber) -> String {
    "/sys/dev/block/\(number)/loop"
  }

  /// Returns true if a loop device is backed by a regular file, either directly or through other
  /// loop devices.
  static func isFile(under number: DeviceNumber) -> Bool {
    switch backing(of: number) {
    case .file: true
    case .device(let below): isFile(under: below)
    case nil: false
    }
  }

  /// Returns the path of a loop device's backing file or device as listed in sysfs; the path may
  /// lead to a different file, or to nothing.
  static func backingPath(of number: DeviceNumber) -> String? {
    FileSystem.text(of: folder(of: number) + "/backing_file")
  }

  private static func viewBySysfs(of number: DeviceNumber) -> View? {
    guard let path = backingPath(of: number),
      let status = try? FileStatus(path, role: "file"),
      let offset = FileSystem.text(of: folder(of: number) + "/offset").flatMap({ UInt64($0) })
    else { return nil }
    let limit = FileSystem.text(of: folder(of: number) + "/sizelimit").flatMap { UInt64($0) } ?? 0
    return View(
      layer: status.isBlockDevice
        ? .device(status.deviceItself) : .file(device: status.device, inode: status.inode),
      byteOffset: offset, byteCount: limit == 0 ? nil : limit)
  }

  /// Returns the file or device that a loop device maps completely; nil if it maps only a part, or
  /// if the device is not a loop device.
  static func whole(under number: DeviceNumber) -> StorageStack.Layer? {
    guard FileSystem.text(of: folder(of: number) + "/offset") == "0",
      let layer = backing(of: number), let byteCount = FileSystem.byteCount(of: number)
    else { return nil }
    switch layer {
    case .device(let below):
      return FileSystem.byteCount(of: below) == byteCount ? layer : nil
    case .file:
      guard let path = backingPath(of: number),
        let status = try? FileStatus(path, role: "file"), status.byteCount == byteCount,
        layer == .file(device: status.device, inode: status.inode)
      else { return nil }
      return layer
    }
  }

  /// Returns the path of a loop device that is backed by a file; nil if none is found.
  package static func over(_ file: OpenFile) -> String? {
    let layer = StorageStack.Layer.file(device: file.deviceNumber, inode: file.inode)
    return inUse.first { backing(of: $0.number) == layer }?.path
  }

  /// Searches for a loop device that maps any bytes of `extent`, ignoring the devices that `extent`
  /// itself passes through.
  static func search(
    over extent: StorageExtent, linearParts: StorageExtent.LinearParts = [:],
    clock: Clock = ThisSystem.clock
  ) -> Search {
    guard FileSystem.exists("/sys/block"), FileSystem.exists("/sys/dev/block") else {
      return .unseen(.noSysfs)
    }
    var blindness: LoopBlindness?
    for (number, path) in inUse where !extent.devices.contains(number) {
      let shown = StorageExtent(device: number, linearParts: linearParts, clock: clock)
      if shown.overlaps(extent) { return .found(path) }
      if case .unseen(let node, let errno) = state(of: number, clock: clock) {
        // The path in sysfs may lead to a different file, or may be valid only in another mount
        // namespace.
        if viewBySysfs(of: number)?.layer == extent.layer { return .found(path) }
        blindness = blindness ?? .node(node, errno)
      }
    }
    return blindness.map { .unseen($0) } ?? .none
  }

  /// The loop devices that are attached to a file or device.
  static var inUse: [(number: DeviceNumber, path: String)] {
    FileSystem.names(in: "/sys/block").compactMap { name in
      guard name.hasPrefix("loop"), FileSystem.exists("/sys/block/\(name)/loop"),
        let number = DeviceNumber(text: FileSystem.text(of: "/sys/block/\(name)/dev"))
      else { return nil }
      return (number, "/dev/\(name)")
    }
  }

  /// Checks that no loop device is backed by the given file; does nothing for a block device.
  ///
  /// - Throws: The result of `error` for the paths of the file and the loop device, if a loop
  ///   device is found.
  package static func checkNone(
    over file: OpenFile, _ error: (_ path: String, _ loop: String) -> MergeError
  ) throws(MergeError) {
    guard file.kind == .regularFile, let loop = over(file) else { return }
    throw error(file.path, loop)
  }

  /// Checks that no loop device maps any bytes of a file or device used by a merge.
  ///
  /// - `allowsUnseen`: whether to assume that loop devices whose backing file is unknown do not map
  ///   any of these bytes.
  /// - Throws: The result of `error` for the paths of the file and the loop device, if a loop
  ///   device is found; `loopDevicesUnseen` if the backing file of a loop device is unknown.
  static func checkNone(
    over extent: StorageExtent, of file: OpenFile, linearParts: StorageExtent.LinearParts,
    allowsUnseen: Bool, clock: Clock,
    _ error: (_ path: String, _ loop: String) -> MergeError
  ) throws(MergeError) {
    switch search(over: extent, linearParts: linearParts, clock: clock) {
    case .none: return
    case .found(let loop): throw error(file.path, loop)
    case .unseen(let why):
      // A disk is opened exclusively. A file cannot be, so a loop device backed by it could still
      // be in use.
      guard case .file = extent.layer, !allowsUnseen else { return }
      throw .loopDevicesUnseen(file.path, why)
    }
  }
}
