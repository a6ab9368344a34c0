/// A model that reads metadata in the simplest way: by recursive descent, entirely in memory.
///
/// If the engine accepts metadata, this model must also read it as a tree with the same mappings.
struct MetadataModel {
  /// An entry in a leaf of a tree.
  struct Entry {
    var key: UInt64
    var valueByteOffset: Int
  }

  /// The maximum number of nodes, which is enough for any tree in the few blocks of an input.
  private static let nodeCountMax = 1024

  private let memory: FuzzMemory

  init(_ memory: FuzzMemory) { self.memory = memory }

  /// Returns the entries of all leaves; nil if the existing blocks do not form a tree.
  func entries(root: UInt64, leafValueByteCount: Int) -> [Entry]? {
    var entries: [Entry] = []
    var budget = Self.nodeCountMax
    let isTree = collect(
      root, leafValueByteCount, depth: 0, keys: 0...UInt64.max, &budget, &entries)
    return isTree ? entries : nil
  }

  private func collect(
    _ block: UInt64, _ leafValueByteCount: Int, depth: Int, keys: ClosedRange<UInt64>,
    _ budget: inout Int, _ entries: inout [Entry]
  ) -> Bool {
    budget -= 1
    guard block < memory.mediumByteCount / BlockKind.blockByteCount, budget > 0,
      depth <= TreeWalker.levelCountMax
    else { return false }
    let start = Int(block) * BlockKind.blockByteCount
    let isLeaf = memory.number(at: start + 4, as: UInt32.self) == 2
    let count = memory.number(at: start + 16, as: UInt32.self)
    let roomCount = memory.number(at: start + 20, as: UInt32.self)
    let valueByteCount = isLeaf ? leafValueByteCount : 8
    let values = BtreeNode.headerByteCount + 8 * Int(min(roomCount, 512))
    guard count <= roomCount, values + Int(count) * valueByteCount <= BlockKind.blockByteCount
    else { return false }
    var first = keys.lowerBound
    for index in 0..<Int(count) {
      let keyByteOffset = start + BtreeNode.headerByteCount + 8 * index
      let key = memory.number(at: keyByteOffset, as: UInt64.self)
      guard key >= first, key <= keys.upperBound else { return false }
      first = key &+ 1
      let value = start + values + valueByteCount * index
      guard !isLeaf else {
        entries.append(Entry(key: key, valueByteOffset: value))
        continue
      }
      let isLast = index + 1 == count
      let next = isLast ? 0 : memory.number(at: keyByteOffset + 8, as: UInt64.self)
      let last = isLast ? keys.upperBound : max(key, next &- 1)
      guard
        collect(
          memory.number(at: value, as: UInt64.self), leafValueByteCount, depth: depth + 1,
          keys: key...last, &budget, &entries)
      else { return false }
    }
    return true
  }

  /// Returns the mappings of a tree as maximal runs; nil if the blocks do not form a tree.
  func runs(root: UInt64) -> [MappingRun]? {
    guard let entries = entries(root: root, leafValueByteCount: 8) else { return nil }
    var runs: [MappingRun] = []
    for entry in entries {
      let dataBlock = memory.number(at: entry.valueByteOffset, as: UInt64.self) >> 24
      if let last = runs.last, last.thinBlock.rawValue &+ last.blockCount == entry.key,
        last.dataBlock.rawValue + last.blockCount == dataBlock
      {
        runs[runs.count - 1].blockCount += 1
      } else {
        runs.append(
          MappingRun(
            thinBlock: ThinBlock(entry.key), dataBlock: DataBlock(dataBlock), blockCount: 1))
      }
    }
    return runs
  }

  /// Corrects the mapping count in a device's details, so that damaged mappings get past the check
  /// of that count.
  func repairMappedCount(_ deviceID: UInt32, isInactive: Bool) {
    let held = isInactive ? 0 : memory.number(at: 56, as: UInt64.self)
    guard held < memory.mediumByteCount / BlockKind.blockByteCount else { return }
    let superblock = Int(held) * BlockKind.blockByteCount
    let roots = entries(
      root: memory.number(at: superblock + 320, as: UInt64.self), leafValueByteCount: 8)
    let details = entries(
      root: memory.number(at: superblock + 328, as: UInt64.self),
      leafValueByteCount: DeviceDetails.byteCount)
    guard let root = roots?.first(where: { $0.key == deviceID }),
      let detail = details?.first(where: { $0.key == deviceID }),
      let entries = entries(
        root: memory.number(at: root.valueByteOffset, as: UInt64.self), leafValueByteCount: 8),
      detail.valueByteOffset + 8 <= memory.mediumByteCount
    else { return }
    memory.write(UInt64(entries.count), at: detail.valueByteOffset)
  }
}
