/// A format other than that of a raw disk, found in a file or on a device: a disk image container,
/// or encrypted blocks.
package enum DiskFormat: Equatable, Sendable {
  /// A disk image with its own headers and tables.
  case container(Container)
  /// A LUKS header followed by encrypted blocks; `uuid` is the raw content of the header's UUID
  /// field.
  case luks(uuid: [UInt8])

  package enum Container: String, Sendable {
    case qcow2
    case vmdk = "VMDK"
    case vhd = "VHD"
    case vhdx = "VHDX"
    case vdi = "VDI"
  }

  /// The number of bytes needed from the beginning of a file or device to detect its format.
  package static let firstByteCount = 4096
  /// The number of bytes needed from the end of a file or device to detect its format.
  package static let lastByteCount = 512

  /// Detects the format of a file or device from its bytes; returns nil if they match no known
  /// format.
  ///
  /// - `first`: the first bytes of the file or device.
  /// - `last`: the last bytes of the file or device, where a fixed-size VHD has its only header.
  package init?(first: [UInt8], last: [UInt8] = []) {
    let starts: [(Container, [UInt8])] = [
      (.qcow2, [0x51, 0x46, 0x49, 0xFB]), (.vmdk, Array("KDMV".utf8)), (.vmdk, Array("COWD".utf8)),
      (.vmdk, Array("# Disk DescriptorFile".utf8)), (.vhd, Self.vhdCookie),
      (.vhdx, Array("vhdxfile".utf8)),
    ]
    if let (container, _) = starts.first(where: { first.starts(with: $0.1) }) {
      self = .container(container)
    } else if first.dropFirst(64).starts(with: [0x7F, 0x10, 0xDA, 0xBE]) {
      self = .container(.vdi)
    } else if last.starts(with: Self.vhdCookie) {
      self = .container(.vhd)
    } else if first.starts(with: Array("LUKS".utf8) + [0xBA, 0xBE]) {
      self = .luks(uuid: Array(first.dropFirst(168).prefix(40)))
    } else {
      return nil
    }
  }

  private static let vhdCookie = Array("conectix".utf8)
}
