/// The details that a pool stores for each thin device, in 24 bytes.
///
/// | offset | bytes | field |
/// |---:|---:|---|
/// | 0 | 8 | mapped blocks |
/// | 8 | 8 | transaction id at creation |
/// | 16 | 4 | snapshot counter at creation |
/// | 20 | 4 | snapshot counter when it last took part in a snapshot |
///
/// All fields are little endian; see dm-thin-metadata.c, struct disk_device_details.
package struct DeviceDetails: Equatable, Sendable {
  package static let byteCount = 24

  package var mappedBlockCount: UInt64
  package var transactionID: UInt64
  package var creationTime: UInt32
  package var snapshottedTime: UInt32

  package init(_ bytes: RawSpan, at byteOffset: Int) {
    mappedBlockCount = bytes.littleEndian(at: byteOffset, as: UInt64.self)
    transactionID = bytes.littleEndian(at: byteOffset + 8, as: UInt64.self)
    creationTime = bytes.littleEndian(at: byteOffset + 16, as: UInt32.self)
    snapshottedTime = bytes.littleEndian(at: byteOffset + 20, as: UInt32.self)
  }
}

/// The two trees whose keys are thin device IDs, read one after the other and checked against each
/// other.
package struct DeviceTrees: Equatable, Sendable {
  package static let deviceIDMax: UInt64 = (1 << 24) - 1

  /// The details of the requested device; nil if there is no such device.
  package private(set) var details: DeviceDetails?
  package private(set) var mappingRoot: MetadataBlock?
  package private(set) var deviceCount: UInt64 = 0
  /// Faults in the trees that do not affect the requested device.
  package private(set) var otherFaults: [MetadataFault] = []

  /// Reads both trees, and passes every device that is in both to `list`, if given.
  ///
  /// - Throws: `MetadataFault` if a tree is invalid, or if only one of the trees contains the
  ///   requested device.
  package init<IO: BlockIO & ~Copyable>(
    _ superblock: Superblock, bounds: MetadataBounds, wanted: UInt32?, _ io: inout IO,
    _ ledger: inout NodeLedger, list: ((UInt32, DeviceDetails, MetadataBlock) -> Void)? = nil
  ) throws(MetadataFault) {
    // Filled only if `list` is given, since it takes 32 bytes for each of up to 2^24 devices.
    var listed: [(id: UInt32, details: DeviceDetails)] = []
    let details = try Self.walk(
      superblock.detailsRoot, valueByteCount: DeviceDetails.byteCount, bounds, &io, &ledger
    ) { id, bytes, byteOffset in
      let details = DeviceDetails(bytes, at: byteOffset)
      if list != nil { listed.append((id, details)) }
      if id == wanted { self.details = details }
    }
    var index = 0
    let roots = try Self.walk(
      superblock.mappingRoot, valueByteCount: MemoryLayout<UInt64>.size, bounds, &io, &ledger
    ) { id, bytes, byteOffset in
      let root = MetadataBlock(bytes.littleEndian(at: byteOffset, as: UInt64.self))
      while index < listed.count, listed[index].id < id { index += 1 }
      if let list, index < listed.count, listed[index].id == id {
        list(id, listed[index].details, root)
      }
      if id == wanted { mappingRoot = root }
    }
    deviceCount = details.count
    guard (self.details == nil) == (mappingRoot == nil) else {
      throw .deviceInOneTree(
        self.details == nil ? superblock.detailsRoot : superblock.mappingRoot,
        deviceID: wanted ?? 0, tree: self.details == nil ? "mapping" : "details")
    }
    // If nothing else is wrong, an out-of-range ID is in both trees, so one fault is enough.
    otherFaults = [details.outOfRange ?? roots.outOfRange].compactMap { $0 }
    if details.count != roots.count || details.checksum != roots.checksum {
      otherFaults.append(
        .otherDevices(
          superblock.detailsRoot, detailsCount: details.count, mappingCount: roots.count))
    }
  }

  /// A summary of the IDs in a tree: the number of IDs and a checksum of their sequence.
  private struct IDs {
    var count: UInt64
    var checksum: UInt64
    /// The fault for the first ID that no thin device can have; such IDs are not counted.
    var outOfRange: MetadataFault?
  }

  private static func walk<IO: BlockIO & ~Copyable>(
    _ root: MetadataBlock, valueByteCount: Int, _ bounds: MetadataBounds, _ io: inout IO,
    _ ledger: inout NodeLedger, _ body: (UInt32, RawSpan, Int) -> Void
  ) throws(MetadataFault) -> IDs {
    var walker = try TreeWalker(root: root, bounds: bounds, leafValueByteCount: valueByteCount)
    var count: UInt64 = 0
    var crc = CRC64()
    var outOfRange: MetadataFault?
    do throws(MetadataFault) {
      while try walker.nextLeaf(
        &io, &ledger,
        { (node, bytes, block, keys) throws(MetadataFault) in
          try node.checkKeys(in: bytes, of: block, within: keys)
          for index in 0..<node.entryCount {
            let key = node.key(index, in: bytes)
            guard key <= deviceIDMax else {
              outOfRange = outOfRange ?? .deviceID(block, key, max: deviceIDMax)
              continue
            }
            crc.update(bytes.extracting(node.keyBytes(index)))
            count += 1
            body(UInt32(key), bytes, node.valueByteOffset(index))
          }
        })
      {}
    } catch {
      walker.drain(&io)
      throw error
    }
    return IDs(count: count, checksum: crc.value, outOfRange: outOfRange)
  }
}

extension DeviceDetails {
  package var creation: ThinDeviceCreation {
    ThinDeviceCreation(time: creationTime, transactionID: transactionID)
  }
}
