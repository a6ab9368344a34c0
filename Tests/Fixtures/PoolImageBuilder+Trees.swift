extension PoolImageBuilder {
  /// Returns the number of metadata blocks in all trees of `devices`.
  func treeNodeCount(_ devices: [ThinDevice]) -> Int {
    let mappings = devices.filter { $0.sharesTreeOf == nil }.map { device in
      mappingWriter.nodeCount(entryCount: device.mappings.count, valueByteCount: 8)
    }
    return mappings.reduce(0, +)
      + idWriter.nodeCount(entryCount: devices.count, valueByteCount: 8)
      + idWriter.nodeCount(entryCount: devices.count, valueByteCount: 24)
  }

  /// Writes the mapping tree of each device, the top-level tree, and the details tree.
  ///
  /// - `shared`: existing mapping trees, by device.
  func writeTrees(
    _ devices: [ThinDevice], shared: [UInt64: TreeShape] = [:], into image: inout MetadataImage,
    allocating blocks: inout BlockAllocator
  ) -> PoolTrees {
    let sorted = devices.sorted { $0.devID < $1.devID }
    var mappings = shared
    for device in sorted where device.sharesTreeOf == nil && shared[device.devID] == nil {
      mappings[device.devID] = mappingWriter.write(
        keys: device.mappings.map { $0.thinBlock }, values: device.mappings.map { $0.packed },
        into: &image, allocating: &blocks)
    }
    for device in sorted {
      if let owner = device.sharesTreeOf { mappings[device.devID] = mappings[owner] }
    }
    let topLevel = idWriter.write(
      keys: sorted.map { $0.devID },
      values: sorted.map { UInt64(mappings[$0.devID]?.root ?? 0) },
      into: &image, allocating: &blocks)
    let details = idWriter.write(
      keys: sorted.map { $0.devID },
      values: sorted.flatMap { device in
        [
          UInt64(mappedBlockCount(of: device, among: devices)), device.transactionID,
          UInt64(device.snapshottedTime) << 32 | UInt64(device.creationTime),
        ]
      },
      valueWordCount: 3, into: &image, allocating: &blocks)
    return PoolTrees(topLevel: topLevel, details: details, mappings: mappings)
  }

  /// Returns the mapping trees of the metadata snapshot that unchanged live devices share.
  func treesSharedWithHeld(_ held: PoolTrees) -> [UInt64: TreeShape] {
    guard sharesUnchangedTrees else { return [:] }
    var shared: [UInt64: TreeShape] = [:]
    for device in liveDevices ?? [] where device.sharesTreeOf == nil && !device.mappings.isEmpty {
      let same = devices.first { $0.sharesTreeOf == nil && $0.mappings == device.mappings }
      if let same { shared[device.devID] = held.mappings[same.devID] }
    }
    return shared
  }

  private func mappedBlockCount(of device: ThinDevice, among devices: [ThinDevice]) -> Int {
    let owner = device.sharesTreeOf ?? device.devID
    return devices.first { $0.devID == owner }?.mappings.count ?? 0
  }

  /// Writes the data space map for the mappings of all generations of trees.
  func writeDataMap(
    _ generations: [[ThinDevice]], into image: inout MetadataImage,
    allocating blocks: inout BlockAllocator
  ) -> [UInt64] {
    guard dataBlockCount <= SpaceMapWriter.dataBlockCountMax else {
      return [UInt64(dataBlockCount), 0, 0, 0]
    }
    var counts = [UInt8](repeating: 0, count: dataBlockCount)
    for devices in generations {
      for device in devices where device.sharesTreeOf == nil {
        for mapping in device.mappings where mapping.dataBlock < UInt64(dataBlockCount) {
          counts[Int(mapping.dataBlock)] += 1
        }
      }
    }
    return SpaceMapWriter.writeDataMap(counts: counts, into: &image, allocating: &blocks)
  }

  /// Adds a reference to a shared mapping root for each device that shares it with its owner.
  func countReferences(
    _ trees: PoolTrees, of devices: [ThinDevice], into counts: inout [UInt8]
  ) {
    for device in devices where device.sharesTreeOf != nil {
      if let shape = trees.mappings[device.devID] { counts[shape.root] += 1 }
    }
  }
}
