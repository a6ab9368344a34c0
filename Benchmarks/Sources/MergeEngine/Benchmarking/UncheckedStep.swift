/// Merging without checksums: what is read is written.
package struct UncheckedStep: TransferStep, ~Copyable {
  package static var readsSource: Bool { true }
  package static var readsTarget: Bool { false }
  package static var isOrdered: Bool { false }

  package init() {}

  package mutating func inspect(
    _ range: ByteRange, recordedChecksum: UInt32?, source: RawSpan, origin: RawSpan
  ) -> Verdict {
    .write(checksum: 0)
  }
}
