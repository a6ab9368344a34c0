/// All mapped devices, and what can be told from their tables.
package struct MappedDevices: Sendable {
  package let all: [MappedDevice]

  package init(_ all: [MappedDevice]) { self.all = all }

  package subscript(number: DeviceNumber) -> MappedDevice? { all.first { $0.number == number } }

  package func named(_ name: String) -> MappedDevice? { all.first { $0.name == name } }

  /// How a person knows the device.
  package func path(of number: DeviceNumber) -> String {
    self[number]?.path ?? FileSystem.node(of: number) ?? number.description
  }

  /// The devices that show a thin device, or would with the table that was loaded.
  package func showing(_ deviceID: UInt32, of pool: DeviceNumber) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { $0.pool == pool && $0.deviceID == deviceID }
    }
  }

  /// The ids of a pool that some table names.
  package func deviceIDs(of pool: DeviceNumber) -> Set<UInt32> {
    Set(all.flatMap(\.thinTargets).filter { $0.pool == pool }.map(\.deviceID))
  }

  /// The thin devices whose external origin shares bytes with `origin`.
  package func thinDevices(over origin: StorageStack) -> [MappedDevice] {
    all.filter { device in
      device.thinTargets.contains { target in
        target.origin.map { origin.overlaps(StorageStack(device: $0)) } ?? false
      }
    }
  }

  /// The pools that are active on a metadata device.
  package func pools(onMetadata metadata: StorageStack) -> [MappedDevice] {
    all.filter { device in
      // A thin device of the pool itself lies on its metadata, and may carry another pool.
      guard let target = device.poolTarget, !metadata.layers.contains(.device(device.number)) else {
        return false
      }
      return metadata.overlaps(StorageStack(device: target.metadata))
    }
  }

  /// The device itself and, from there on down, those that it shows whole and nothing else.
  package func linearLayers(of number: DeviceNumber) -> [MappedDevice] {
    var layers: [MappedDevice] = []
    var next: DeviceNumber? = number
    while let number = next, let device = self[number], !layers.contains(device),
      device.byteCount == layers.first?.byteCount ?? device.byteCount
    {
      layers.append(device)
      next = device.linearTarget
    }
    return layers
  }
}
