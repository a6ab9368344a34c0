/// The mappings of a pool's devices, as printed by `thin_dump`.
package struct ThinDump: Sendable {
  /// A thin device in the dump.
  package struct Device: Sendable, Equatable {
    package var devID: UInt64
    package var mappedBlocks: UInt64
    package var transactionID: UInt64
    package var creationTime: UInt64
    package var snapshottedTime: UInt64
    package var mappings: [ThinMapping] = []

    package init(
      devID: UInt64, mappedBlocks: UInt64, transactionID: UInt64, creationTime: UInt64,
      snapshottedTime: UInt64
    ) {
      self.devID = devID
      self.mappedBlocks = mappedBlocks
      self.transactionID = transactionID
      self.creationTime = creationTime
      self.snapshottedTime = snapshottedTime
    }
  }

  /// A line that `thin_dump` does not print.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  package private(set) var devices: [Device] = []

  /// Reads the dump, which has one element per line.
  package init(xml: String) throws {
    for line in xml.split(separator: "\n") {
      let element = Element(line: line)
      switch element.name {
      case "<device":
        devices.append(
          Device(
            devID: try element.number("dev_id"), mappedBlocks: try element.number("mapped_blocks"),
            transactionID: try element.number("transaction"),
            creationTime: try element.number("creation_time"),
            snapshottedTime: try element.number("snap_time")))
      case "<single_mapping":
        try append(
          thinBlock: element.number("origin_block"), dataBlock: element.number("data_block"),
          blockCount: 1, time: element.number("time"))
      case "<range_mapping":
        try append(
          thinBlock: element.number("origin_begin"), dataBlock: element.number("data_begin"),
          blockCount: element.number("length"), time: element.number("time"))
      case "<superblock", "</device>", "</superblock>": continue
      default: throw Failure(description: "unknown element: \(line)")
      }
    }
  }

  /// Returns the device with this id.
  package func device(_ devID: Int) throws -> Device {
    guard let device = devices.first(where: { $0.devID == UInt64(devID) }) else {
      throw Failure(description: "the dump has no device \(devID)")
    }
    return device
  }

  private mutating func append(
    thinBlock: UInt64, dataBlock: UInt64, blockCount: UInt64, time: UInt64
  ) throws {
    guard !devices.isEmpty else { throw Failure(description: "a mapping outside a device") }
    for index in 0..<blockCount {
      devices[devices.count - 1].mappings.append(
        ThinMapping(
          thinBlock + index, dataBlock + index, time: UInt32(truncatingIfNeeded: time)))
    }
  }

  /// One element: its name and its attributes, unquoted.
  private struct Element {
    let name: Substring
    let attributes: [Substring]
    let line: Substring

    init(line: Substring) {
      self.line = line
      let words = line.split(separator: " ")
      name = words.first.map { $0.hasPrefix("</") ? $0 : $0.prefix { $0 != ">" } } ?? ""
      attributes = Array(words.dropFirst())
    }

    func number(_ attribute: String) throws -> UInt64 {
      let prefix = attribute + "=\""
      guard let word = attributes.first(where: { $0.hasPrefix(prefix) }),
        let value = UInt64(word.dropFirst(prefix.count).prefix { $0 != "\"" })
      else { throw Failure(description: "no number \(attribute) in: \(line)") }
      return value
    }
  }
}
