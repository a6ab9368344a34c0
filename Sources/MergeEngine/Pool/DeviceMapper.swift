package import SystemPackage

/// What is asked of device-mapper, and what is done with it.
///
/// Errors are those of the system call: what each means depends on what was asked.
package protocol DeviceMapper: Sendable {
  /// Every mapped device with its tables, by rising name; none where there is no device-mapper.
  func devices() throws(Errno) -> [MappedDevice]
  /// A device's status lines, without committing anything.
  func status(of device: DeviceNumber) throws(Errno) -> [TableLine]
  func send(_ message: String, to device: DeviceNumber) throws(Errno)
  /// Removes a device that nobody has open.
  func remove(_ device: MappedDevice) throws(Errno)
  /// Makes a device of that name, uuid and live table.
  func make(_ device: MappedDevice) throws(Errno)
  /// Loads the device's own live table again, for reading only or for writing too.
  func reload(_ device: MappedDevice, isReadOnly: Bool) throws(Errno)
  /// Resumes a device that is suspended.
  func resume(_ device: MappedDevice) throws(Errno)
  /// Drops the table that was loaded for a device and is not live.
  func clear(_ device: MappedDevice) throws(Errno)
  /// Returns the devices that the kernel names as lying on a device.
  func holders(of device: DeviceNumber) -> [DeviceNumber]
  /// Has the system write to a device what it caches for it, and for all that lies above it.
  ///
  /// A thin device is suspended without its file systems being frozen: what is still in a cache then is not in its
  /// snapshot.
  ///
  /// - Returns: the caches that may still have something.
  func writeBackCaches(above device: DeviceNumber) -> [CacheFailure]
  /// Sends a message to a pool while one of its thin devices is suspended, and resumes that on every
  /// way out, also if this process dies, or is stopped for longer than 10 s, which ends it.
  func send(
    _ message: String, toPool pool: DeviceNumber, whileSuspended thin: DeviceNumber
  ) throws(SuspendedMessageFailure)
  /// Begins to watch for mapped devices that are made or removed.
  ///
  /// - Returns: what tells whether any was since; nil where the kernel does not tell.
  func watchForChanges() -> (() -> Bool)?
  /// Makes the pool commit what it has changed.
  func commit(_ pool: DeviceNumber) throws(Errno)
}

/// Why a message that was to be sent while a device is suspended came to nothing, or did not end well.
package struct SuspendedMessageFailure: Error, Equatable, Sendable {
  /// `resumedByOthers`: the message was sent, and by then the device was perhaps not suspended any more.
  package enum Step: Sendable { case preparing, suspending, sending, resumedByOthers, resuming }

  package var step: Step
  package var errno: Errno

  package init(_ step: Step, _ errno: Errno) {
    self.step = step
    self.errno = errno
  }
}

/// A device of device-mapper, as it was when it was looked at.
package struct MappedDevice: Equatable, Sendable, Codable {
  package var name: String
  /// Empty where it has none.
  package var uuid: String
  package var number: DeviceNumber
  package var openCount: Int
  package var isReadOnly: Bool
  package var isSuspended: Bool
  package var liveTable: [TableLine]
  /// A table that was loaded and not made live yet.
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

  /// What tells it from others also after a boot: its uuid, or `name-` and its name where it has none.
  package var durableName: String { uuid.isEmpty ? "name-\(name)" : uuid }

  /// The device's node.
  package var path: String { "/dev/mapper/\(Self.nodeName(name))" }

  package var byteCount: UInt64 {
    liveTable.reduce(0) { $0 &+ $1.sectorCount } &* 512
  }

  /// As libdevmapper names nodes: what is not harmless in a path stands as `\xNN`.
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
  /// The target: `thin`, `linear`.
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
