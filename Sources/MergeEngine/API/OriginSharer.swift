/// The creation of a thin device, as the pool's time and transaction id in its metadata.
package struct ThinDeviceCreation: Hashable, Sendable, Codable {
  package var time: UInt32
  package var transactionID: UInt64

  package init(time: UInt32, transactionID: UInt64) {
    self.time = time
    self.transactionID = transactionID
  }
}

/// A thin device other than the merged one that has, or may have, the same external origin, so its
/// content changes with the origin.
package struct OriginSharer: Hashable, Sendable {
  /// The uuid of the thin device's pool, or `name-` and the pool's name if the pool has no uuid.
  package var poolName: String
  package var deviceID: UInt32
  /// The creation of the thin device; nil if the pool's metadata was not read, in which case the id
  /// may belong to a newer thin device.
  package var creation: ThinDeviceCreation?
  /// The uuid of the mapped device, or `name-` and the device's name; nil if the thin device is not
  /// active.
  package var mappedName: String?

  package init(
    poolName: String, deviceID: UInt32, creation: ThinDeviceCreation? = nil,
    mappedName: String? = nil
  ) {
    self.poolName = poolName
    self.deviceID = deviceID
    self.creation = creation
    self.mappedName = mappedName
  }

  /// True if a later run can distinguish the thin device from another one that reuses its ID
  /// and name.
  package var canBeKnownAgain: Bool {
    creation != nil || mappedName.map { !$0.hasPrefix("name-") } ?? false
  }

  /// Returns true if both are the same thin device, as far as both are known.
  fileprivate func isSame(as other: OriginSharer) -> Bool {
    poolName == other.poolName && deviceID == other.deviceID
      && Self.agree(creation, other.creation) && Self.agree(mappedName, other.mappedName)
  }

  private static func agree<Value: Equatable>(_ one: Value?, _ other: Value?) -> Bool {
    guard let one, let other else { return true }
    return one == other
  }
}

/// The thin devices on an origin whose change was agreed to individually.
package struct AgreedSharers: Equatable, Sendable {
  private var byID: [UInt32: [OriginSharer]] = [:]

  package init(_ sharers: [OriginSharer] = []) { add(sharers) }

  package var isEmpty: Bool { byID.isEmpty }

  /// The thin devices, by ascending id.
  package var all: [OriginSharer] {
    byID.sorted { $0.key < $1.key }.flatMap(\.value)
  }

  package mutating func add(_ sharers: [OriginSharer]) {
    for sharer in sharers where byID[sharer.deviceID]?.contains(sharer) != true {
      byID[sharer.deviceID, default: []].append(sharer)
    }
  }

  fileprivate func contains(_ sharer: OriginSharer) -> Bool {
    byID[sharer.deviceID]?.contains { $0.isSame(as: sharer) } == true
  }
}

extension PoolOptions {
  /// Returns true if changing the thin device's content was agreed to.
  package func agrees(to sharer: OriginSharer) -> Bool {
    allowsOtherUsers || agreedSharers.contains(sharer)
  }

  /// Returns the options with consent to exactly these thin devices.
  package func agreeing(onlyTo sharers: [OriginSharer]) -> PoolOptions {
    var options = withoutConsentToOthers
    options.agreedSharers = AgreedSharers(sharers)
    return options
  }

  /// The options kept in a journal's header, which records consent to other thin devices per device
  /// instead.
  package var withoutConsentToOthers: PoolOptions {
    var options = self
    options.allowsOtherUsers = false
    options.agreedSharers = AgreedSharers()
    return options
  }
}
