package import SystemPackage

/// The requests that this tool makes to device-mapper.
///
/// An error is the system call's; its meaning depends on the request.
package protocol DeviceMapper: Sendable {
  /// Returns all mapped devices with their tables, sorted by name; none if there is no
  /// device-mapper.
  func devices() throws(Errno) -> [MappedDevice]
  /// Returns a device's status lines, without committing anything.
  func status(of device: DeviceNumber) throws(Errno) -> [TableLine]
  func send(_ message: String, to device: DeviceNumber) throws(Errno)
  /// Removes a device that nobody has open.
  func remove(_ device: MappedDevice) throws(Errno)
  /// Creates a device with the given name, UUID and live table.
  func make(_ device: MappedDevice) throws(Errno)
  /// Reloads the device's own live table, read-only or writable.
  func reload(_ device: MappedDevice, isReadOnly: Bool) throws(Errno)
  /// Resumes a suspended device.
  func resume(_ device: MappedDevice) throws(Errno)
  /// Drops a device's inactive table.
  func clear(_ device: MappedDevice) throws(Errno)
  /// Returns the devices that the kernel lists as holders of a device.
  func holders(of device: DeviceNumber) -> [DeviceNumber]
  /// Writes back the system's caches for a device and for everything above it.
  ///
  /// A thin device is suspended without freezing its file systems: data still in a cache then is
  /// missing from its snapshot.
  ///
  /// - Returns: the caches that may still have unwritten data.
  func writeBackCaches(above device: DeviceNumber) -> [CacheFailure]
  /// Sends a message to a pool while one of its thin devices is suspended, and resumes the device
  /// on every path.
  ///
  /// The device is also resumed if this process dies, or is stopped for longer than 10 s, which
  /// kills it.
  func send(
    _ message: String, toPool pool: DeviceNumber, whileSuspended thin: DeviceNumber
  ) throws(SuspendedMessageFailure)
  /// Starts to watch for created and removed mapped devices.
  ///
  /// - Returns: a function that returns true if there were any since; nil if the kernel cannot
  ///   report changes.
  func watchForChanges() -> (() -> Bool)?
  /// Makes the pool commit its changes.
  func commit(_ pool: DeviceNumber) throws(Errno)
}

/// The failure of a message that was to be sent to a pool while a device is suspended, or of the
/// steps around it.
package struct SuspendedMessageFailure: Error, Equatable, Sendable {
  /// `resumedByOthers`: the message was sent, but the device may no longer have been suspended by
  /// then.
  package enum Step: Sendable { case preparing, suspending, sending, resumedByOthers, resuming }

  package var step: Step
  package var errno: Errno

  package init(_ step: Step, _ errno: Errno) {
    self.step = step
    self.errno = errno
  }
}

/// A mapped device in the state in which it was read.
package struct MappedDevice: Equatable, Sendable, Codable {
  package var name: String
  /// Empty if the device has no UUID.
  package var uuid: String
  package var number: DeviceNumber
  package var openCount: Int
  package var isReadOnly: Bool
  package var isSuspended: Bool
  package var liveTable: [TableLine]
  /// A loaded table that is not live yet.
  package var inactiveTable: [TableLine]

  package init(
    name: String, uuid: String = "", number: DeviceNumber, openCount: Int = 0,
    isReadOnly: Bool = false, isSuspended: Bool = false, liveTable: [TableLine],
    inactiveTable: [TableLine] = []
  ) {
    self.name = name
    self.uuid = uuid
    self.number = number
    self.openCount = openCount
    self.isReadOnly = isReadOnly
    self.isSuspended = isSuspended
    self.liveTable = liveTable
    self.inactiveTable = inactiveTable
  }

  /// The identity of the device across boots: its UUID, or `name-` and its name if it has no UUID.
  package var durableName: String { uuid.isEmpty ? "name-\(name)" : uuid }

  /// The path of the device's node.
  package var path: String { "/dev/mapper/\(Self.nodeName(name))" }

  package var byteCount: UInt64 {
    liveTable.reduce(0) { $0 &+ $1.sectorCount } &* 512
  }

  /// Returns a node name as libdevmapper encodes it: a byte that is unsafe in a path becomes
  /// `\xNN`.
  private static func nodeName(_ name: String) -> String {
    name.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "#"), UInt8(ascii: "+"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "="),
        UInt8(ascii: "@"), UInt8(ascii: "_"):
        String(UnicodeScalar(byte))
      default:
        "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}

/// One target of a table, or one line of its status.
package struct TableLine: Equatable, Sendable, Codable {
  package var startSector: UInt64
  package var sectorCount: UInt64
  /// The target type, such as `thin` or `linear`.
  package var kind: String
  package var arguments: String

  package init(
    startSector: UInt64 = 0, sectorCount: UInt64, kind: String, arguments: String
  ) {
    self.startSector = startSector
    self.sectorCount = sectorCount
    self.kind = kind
    self.arguments = arguments
  }

  package var words: [Substring] { arguments.split(separator: " ") }
}
