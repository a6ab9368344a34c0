internal import CDeviceMapper
internal import Glibc
package import SystemPackage

/// The running kernel's device-mapper, accessed through libdevmapper.
package struct KernelDeviceMapper: DeviceMapper {
  package init() { cdm_silence() }

  private var isThere: Bool { FileSystem.exists("/sys/class/misc/device-mapper") }

  package func devices() throws(Errno) -> [MappedDevice] {
    guard isThere else { return [] }
    var found: [MappedDevice] = []
    for name in try names() {
      // A device may have disappeared since the names were listed; skip it.
      if let device = try device(name) { found.append(device) }
    }
    return found
  }

  private func names() throws(Errno) -> [String] {
    let request = try Request(DM_DEVICE_LIST)
    try request.run()
    guard let list = unsafe dm_task_get_names(request.handle) else { return [] }
    var names: [String] = []
    // SAFETY: libdevmapper's list lives as long as the request. Each entry contains the offset of
    // the next one; in the last entry, the offset is 0. An empty list has a single entry without a
    // device.
    var entry = UnsafeRawPointer(list)
    while true {
      let fields = unsafe entry.assumingMemoryBound(to: dm_names.self)
      guard unsafe fields.pointee.dev != 0 else { break }
      let text = unsafe entry + Self.nameByteOffset
      names.append(unsafe String(cString: text.assumingMemoryBound(to: CChar.self)))
      let next = unsafe fields.pointee.next
      guard next != 0 else { break }
      unsafe entry += Int(next)
    }
    return names.sorted()
  }

  // The byte offset of the flexible array member that follows `next`; Swift does not import that
  // member.
  private static let nameByteOffset = 12

  private func device(_ name: String) throws(Errno) -> MappedDevice? {
    let request = try Request(DM_DEVICE_TABLE, name: name)
    unsafe dm_task_no_flush(request.handle)
    let info: dm_info
    do throws(Errno) {
      guard let found = try request.runAndLook() else { return nil }
      info = found
    } catch {
      if error == .noSuchAddressOrDevice { return nil }
      throw error
    }
    let live = request.lines()
    let uuid = unsafe dm_task_get_uuid(request.handle).map { unsafe String(cString: $0) } ?? ""
    var inactive: [TableLine] = []
    if info.inactive_table != 0 {
      let request = try Request(DM_DEVICE_TABLE, name: name)
      unsafe dm_task_query_inactive_table(request.handle)
      if try request.runAndLook() != nil { inactive = request.lines() }
    }
    return MappedDevice(
      name: name, uuid: uuid, number: DeviceNumber(major: info.major, minor: info.minor),
      openCount: Int(info.open_count), isReadOnly: info.read_only != 0,
      isSuspended: info.suspended != 0, liveTable: live, inactiveTable: inactive)
  }

  package func status(of device: DeviceNumber) throws(Errno) -> [TableLine] {
    let request = try Request(DM_DEVICE_STATUS, device: device)
    // Without this flag, the query makes the pool commit.
    unsafe dm_task_no_flush(request.handle)
    guard try request.runAndLook() != nil else { throw .noSuchAddressOrDevice }
    return request.lines()
  }

  package func send(_ message: String, to device: DeviceNumber) throws(Errno) {
    let request = try Request(DM_DEVICE_TARGET_MSG, device: device)
    guard unsafe dm_task_set_sector(request.handle, 0) != 0,
      unsafe dm_task_set_message(request.handle, message) != 0
    else { throw .noMemory }
    try request.run()
  }

  package func remove(_ device: MappedDevice) throws(Errno) {
    let request = try Request(DM_DEVICE_REMOVE, name: device.name)
    try request.runWithUdev()
  }

  package func make(_ device: MappedDevice) throws(Errno) {
    let request = try Request(DM_DEVICE_CREATE, name: device.name)
    if !device.uuid.isEmpty, unsafe dm_task_set_uuid(request.handle, device.uuid) == 0 {
      throw .noMemory
    }
    try request.add(device.liveTable)
    if device.isReadOnly { unsafe dm_task_set_ro(request.handle) }
    try request.runWithUdev()
  }

  package func reload(_ device: MappedDevice, isReadOnly: Bool) throws(Errno) {
    let load = try Request(DM_DEVICE_RELOAD, name: device.name)
    try load.add(device.liveTable)
    if isReadOnly { unsafe dm_task_set_ro(load.handle) }
    try load.run()
    do throws(Errno) {
      try resume(device)
    } catch {
      // Otherwise, the table would go live the next time any program resumes the device.
      try? clear(device)
      // The kernel may have suspended the device before it failed to swap the tables.
      try? resume(device)
      throw error
    }
  }

  package func clear(_ device: MappedDevice) throws(Errno) {
    try Request(DM_DEVICE_CLEAR, name: device.name).run()
  }

  package func holders(of device: DeviceNumber) -> [DeviceNumber] {
    let folder = "/sys/dev/block/\(device)/holders"
    return FileSystem.names(in: folder).compactMap {
      DeviceNumber(text: FileSystem.text(of: "\(folder)/\($0)/dev"))
    }
  }

  package func resume(_ device: MappedDevice) throws(Errno) {
    let request = try Request(DM_DEVICE_RESUME, name: device.name)
    try request.runWithUdev()
  }

  package func writeBackCaches(above device: DeviceNumber) -> [CacheFailure] {
    CachedWrites(above: device).writeBack()
  }

  package func send(
    _ message: String, toPool pool: DeviceNumber, whileSuspended thin: DeviceNumber
  ) throws(SuspendedMessageFailure) {
    switch unsafe cdm_snapshot(thin.packed, pool.packed, message) {
    case CDM_DONE: return
    case CDM_SUSPENDING: throw SuspendedMessageFailure(.suspending, .current)
    case CDM_MAKING: throw SuspendedMessageFailure(.sending, .current)
    case CDM_RESUMED_BY_OTHERS: throw SuspendedMessageFailure(.resumedByOthers, .current)
    case CDM_RESUMING: throw SuspendedMessageFailure(.resuming, .current)
    default: throw SuspendedMessageFailure(.preparing, .current)
    }
  }

  package func watchForChanges() -> (() -> Bool)? {
    let descriptor = cdm_watch_changes()
    guard descriptor >= 0 else { return nil }
    let watch = Watch(descriptor: descriptor)
    return { cdm_has_changed(watch.descriptor) != 0 }
  }

  /// An open descriptor of /dev/mapper/control, closed on deinitialization.
  private final class Watch {
    let descriptor: CInt

    init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }
  }

  package func commit(_ pool: DeviceNumber) throws(Errno) {
    // A status query makes the pool commit unless `dm_task_no_flush` was called.
    try Request(DM_DEVICE_STATUS, device: pool).run()
  }
}

/// A request to device-mapper, whose results live as long as the request does.
@safe private struct Request: ~Copyable {
  let handle: OpaquePointer

  /// - `kind`: the request type, such as DM_DEVICE_LIST.
  init(
    _ kind: Int, name: String? = nil, device: DeviceNumber? = nil
  ) throws(Errno) {
    guard let handle = unsafe dm_task_create(CInt(kind)) else { throw .noMemory }
    let isNamed = name.map { unsafe dm_task_set_name(handle, $0) != 0 } ?? true
    let isNumbered =
      device.map {
        unsafe dm_task_set_major_minor(handle, CInt($0.major), CInt($0.minor), 0) != 0
      } ?? true
    guard isNamed, isNumbered else {
      unsafe dm_task_destroy(handle)
      throw .noMemory
    }
    unsafe self.handle = handle
  }

  deinit { unsafe dm_task_destroy(handle) }

  func add(_ table: [TableLine]) throws(Errno) {
    for line in table {
      guard
        unsafe dm_task_add_target(
          handle, line.startSector, line.sectorCount, line.kind, line.arguments) != 0
      else { throw .noMemory }
    }
  }

  func run() throws(Errno) {
    guard unsafe dm_task_run(handle) != 0 else {
      let number = unsafe dm_task_get_errno(handle)
      throw number == 0 ? .ioError : Errno(rawValue: number)
    }
  }

  /// Runs the request and waits for udev to create or remove the device nodes and symbolic links.
  func runWithUdev() throws(Errno) {
    var cookie: UInt32 = 0
    guard unsafe dm_task_set_cookie(handle, &cookie, 0) != 0 else { throw .noMemory }
    defer { dm_udev_wait(cookie) }
    try run()
  }

  /// Runs the request and returns information about the device; nil if there is no such device.
  func runAndLook() throws(Errno) -> dm_info? {
    try run()
    var info = dm_info()
    // SAFETY: the call fills in the structure that it is given.
    guard unsafe dm_task_get_info(handle, &info) != 0, info.exists != 0 else { return nil }
    return info
  }

  /// Returns the table or status lines in the result of the request.
  func lines() -> [TableLine] {
    var lines: [TableLine] = []
    var next: UnsafeMutableRawPointer?
    repeat {
      var start: UInt64 = 0
      var count: UInt64 = 0
      var kind: UnsafeMutablePointer<CChar>?
      var arguments: UnsafeMutablePointer<CChar>?
      // SAFETY: the call fills in the variables that it is given; the strings live as long as the
      // request.
      unsafe next = dm_get_next_target(handle, next, &start, &count, &kind, &arguments)
      if let kind = unsafe kind {
        lines.append(
          TableLine(
            startSector: start, sectorCount: count, kind: unsafe String(cString: kind),
            arguments: unsafe arguments.map { unsafe String(cString: $0) } ?? ""))
      }
    } while unsafe next != nil
    return lines
  }
}
