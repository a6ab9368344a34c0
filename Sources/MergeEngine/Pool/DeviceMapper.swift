package import SystemPackage

/// The requests that this tool makes to device-mapper.
///
/// Errors are those of the underlying system call; what an error means depends on the request.
package protocol DeviceMapper: Sendable {
  /// Returns all mapped devices with their tables, sorted by name; empty if the kernel has no
  /// device-mapper.
  func devices() throws(Errno) -> [MappedDevice]
  /// Returns a device's status lines, without making a pool commit its changes.
  func status(of device: DeviceNumber) throws(Errno) -> [TableLine]
  func send(_ message: String, to device: DeviceNumber) throws(Errno)
  /// Removes a device that no program has open.
  func remove(_ device: MappedDevice) throws(Errno)
  /// Creates a device with the given name, UUID and live table.
  func make(_ device: MappedDevice) throws(Errno)
  /// Reloads the device with its current live table, as read-only or writable.
  func reload(_ device: MappedDevice, isReadOnly: Bool) throws(Errno)
  /// Resumes a suspended device.
  func resume(_ device: MappedDevice) throws(Errno)
  /// Discards a device's inactive table.
  func clear(_ device: MappedDevice) throws(Errno)
  /// Returns the devices that the kernel lists as holders of the given device.
  func holders(of device: DeviceNumber) -> [DeviceNumber]
  /// Writes back the kernel's caches for a device and for everything stacked on it.
  ///
  /// A thin device is suspended without freezing its file systems, so any data still in a cache at
  /// that point is missing from the snapshot.
  ///
  /// - Returns: the caches that may still contain unwritten data.
  func writeBackCaches(above device: DeviceNumber) -> [CacheFailure]
  /// Suspends a thin device, sends a message to its pool, and resumes the device, even after an
  /// error.
  ///
  /// The device is also resumed if this process dies. If this process is stopped for longer than 10
  /// s, it is killed and the device is resumed.
  func send(
    _ message: String, toPool pool: DeviceNumber, whileSuspended thin: DeviceNumber
  ) throws(SuspendedMessageFailure)
  /// Starts watching for mapped devices being created or removed.
  ///
  /// - Returns: a function that returns true if any device has been created or removed since the
  ///   watch started; nil if the kernel cannot report such changes.
  func watchForChanges() -> (() -> Bool)?
  /// Makes a pool commit its changes.
  func commit(_ pool: DeviceNumber) throws(Errno)
}

/// A failure to suspend a thin device, send a message to its pool, or resume the device.
package struct SuspendedMessageFailure: Error, Equatable, Sendable {
  /// The step that failed.
  ///
  /// `resumedByOthers`: the message was sent, but another program may already have resumed the
  /// device by then.
  package enum Step: Sendable { case preparing, suspending, sending, resumedByOthers, resuming }

  package var step: Step
  package var errno: Errno

  package init(_ step: Step, _ errno: Errno) {
    self.step = step
    self.errno = errno
  }
}

/// A mapped device and the state it was in when it was read.
package struct MappedDevice: Equatable, Sendable, Codable {
  package var name: String
  /// The device's UUID; empty if it has none.
  package var uuid: String
  package var number: DeviceNumber
  package var openCount: Int
  package var isReadOnly: Bool
  package var isSuspended: Bool
  package var liveTable: [TableLine]
  /// The table that is loaded but not yet live; empty if there is none.
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

  /// A name that identifies the device across boots: its UUID, or `name-` followed by its name if
  /// it has no UUID.
  package var durableName: String { uuid.isEmpty ? "name-\(name)" : uuid }

  /// The path of the device node.
  package var path: String { "/dev/mapper/\(Self.nodeName(name))" }

  package var byteCount: UInt64 {
    liveTable.reduce(0) { $0 &+ $1.sectorCount } &* 512
  }

  /// Returns the device node name for a device name, encoded as libdevmapper does: a byte that is
  /// unsafe in a path becomes `\xNN`.
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
