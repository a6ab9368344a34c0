internal import SystemPackage

/// A device-mapper wrapper that reports each change before the wrapped device-mapper makes it.
struct TracedDeviceMapper: DeviceMapper {
  let mapper: any DeviceMapper
  /// Receives a one-line description of each change.
  let trace: @Sendable (String) -> Void

  func devices() throws(Errno) -> [MappedDevice] { try mapper.devices() }

  func status(of device: DeviceNumber) throws(Errno) -> [TableLine] {
    try mapper.status(of: device)
  }

  func send(_ message: String, to device: DeviceNumber) throws(Errno) {
    trace("device-mapper: message to \(device): \(message)")
    try mapper.send(message, to: device)
  }

  func remove(_ device: MappedDevice) throws(Errno) {
    trace("device-mapper: remove \(device.name)")
    try mapper.remove(device)
  }

  func make(_ device: MappedDevice) throws(Errno) {
    trace("device-mapper: create \(device.name)")
    try mapper.make(device)
  }

  func reload(_ device: MappedDevice, isReadOnly: Bool) throws(Errno) {
    trace("device-mapper: reload \(device.name), \(isReadOnly ? "read-only" : "writable")")
    try mapper.reload(device, isReadOnly: isReadOnly)
  }

  func resume(_ device: MappedDevice) throws(Errno) {
    trace("device-mapper: resume \(device.name)")
    try mapper.resume(device)
  }

  func clear(_ device: MappedDevice) throws(Errno) {
    trace("device-mapper: clear the inactive table of \(device.name)")
    try mapper.clear(device)
  }

  func holders(of device: DeviceNumber) -> [DeviceNumber] { mapper.holders(of: device) }

  func writeBackCaches(above device: DeviceNumber) -> [CacheFailure] {
    trace("write back the caches above \(device)")
    return mapper.writeBackCaches(above: device)
  }

  func send(
    _ message: String, toPool pool: DeviceNumber, whileSuspended thin: DeviceNumber
  ) throws(SuspendedMessageFailure) {
    trace("device-mapper: suspend \(thin), message to \(pool): \(message), resume \(thin)")
    try mapper.send(message, toPool: pool, whileSuspended: thin)
  }

  func watchForChanges() -> (() -> Bool)? { mapper.watchForChanges() }

  func commit(_ pool: DeviceNumber) throws(Errno) {
    trace("device-mapper: commit \(pool)")
    try mapper.commit(pool)
  }
}
