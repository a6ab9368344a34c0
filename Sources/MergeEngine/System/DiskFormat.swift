/// A format that a file or device has instead of a raw disk's: a disk image container, or encrypted
/// blocks.
package enum DiskFormat: Equatable, Sendable {
  /// A disk image with its own headers and tables.
  case container(Container)
  /// Encrypted blocks after a header; `uuid` is the bytes of its UUID field.
  case luks(uuid: [UInt8])

  package enum Container: String, Sendable {
    case qcow2
    case vmdk = "VMDK"
    case vhd = "VHD"
    case vhdx = "VHDX"
    case vdi = "VDI"
  }

  /// The numbers of bytes needed to detect a format: from the beginning, and up to the end.
  package static let firstByteCount = 4096
  package static let lastByteCount = 512

  /// Returns nil if the bytes are of none of these formats.
  ///
  /// - `first`: the first bytes.
  /// - `last`: the last bytes, where a VHD of fixed size has its only header.
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
