internal import SystemPackage

/// The XML of thin-provisioning-tools, written fast: hundreds of millions of lines are usual.
struct MappingsXML {
  private static let flushByteCount = 1 << 20
  private static let singleBegin = Array("<single_mapping origin_block=\"".utf8)
  private static let dataBlock = Array("\" data_block=\"".utf8)
  private static let mappingEnd = Array("\" time=\"0\"/>\n".utf8)

  private let output: FileDescriptor
  private var buffer: [UInt8] = []

  /// Begins one device, all of whose data device's blocks are going to be mapped.
  init(deviceBlockCount: UInt64, output: FileDescriptor) {
    self.output = output
    buffer.reserveCapacity(Self.flushByteCount + 4096)
    append(
      """
      <superblock uuid="" time="0" transaction="1" flags="0" version="2" data_block_size="128" \
      nr_data_blocks="\(deviceBlockCount)">
      <device dev_id="1" mapped_blocks="\(deviceBlockCount)" transaction="0" creation_time="0" \
      snap_time="0">

      """)
  }

  mutating func addBlock(thin: UInt64, data: UInt64) throws {
    buffer += Self.singleBegin
    append(thin)
    buffer += Self.dataBlock
    append(data)
    buffer += Self.mappingEnd
    if buffer.count >= Self.flushByteCount { try flush() }
  }

  mutating func addRange(thin: UInt64, data: UInt64, blockCount: UInt64) throws {
    append(
      """
      <range_mapping origin_begin="\(thin)" data_begin="\(data)" length="\(blockCount)" time="0"/>

      """)
    if buffer.count >= Self.flushByteCount { try flush() }
  }

  /// Ends the device and writes out what is left.
  mutating func finish() throws {
    append("</device>\n</superblock>\n")
    try flush()
  }

  private mutating func append(_ text: String) { buffer += text.utf8 }

  /// Decimal digits by hand: making a text of each number would take most of the time.
  private mutating func append(_ number: UInt64) {
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var first = digits.count
    var rest = number
    repeat {
      first -= 1
      digits[first] = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
      rest /= 10
    } while rest > 0
    while first < digits.count {
      buffer.append(digits[first])
      first += 1
    }
  }

  private mutating func flush() throws {
    try output.writeAll(buffer)
    buffer.removeAll(keepingCapacity: true)
  }
}
