/// The metadata read in the plainest way: by descending, all in memory, checking nothing.
///
/// What the engine accepts has to come to the same.
struct MetadataModel {
  /// An entry of a leaf.
  struct Entry {
    var key: UInt64
    var valueByteOffset: Int
  }

  /// Enough for any tree in the few blocks of an input.
  private static let nodeCountMax = 1024

  private let memory: FuzzMemory

  init(_ memory: FuzzMemory) { self.memory = memory }

  /// The entries of all leaves; nil for what is no tree in the blocks that are there.
  func entries(root: UInt64, leafValueByteCount: Int) -> [Entry]? {
    var entries: [Entry] = []
    var budget = Self.nodeCountMax
    let isTree = collect(root, leafValueByteCount, depth: 0, &budget, &entries)
    return isTree ? entries : nil
  }

  private func collect(
    _ block: UInt64, _ leafValueByteCount: Int, depth: Int, _ budget: inout Int,
    _ entries: inout [Entry]
  ) -> Bool {
    budget -= 1
    guard block < memory.mediumByteCount / BlockKind.blockByteCount, budget > 0,
      depth <= TreeWalker.levelCountMax
    else { return false }
    let start = Int(block) * BlockKind.blockByteCount
    let isLeaf = memory.number(at: start + 4, as: UInt32.self) == 2
    let count = memory.number(at: start + 16, as: UInt32.self)
    let roomCount = memory.number(at: start + 20, as: UInt32.self)
    guard count <= 512, roomCount <= 512 else { return false }
    let values = start + BtreeNode.headerByteCount + 8 * Int(roomCount)
    for index in 0..<Int(count) {
      if isLeaf {
        let key = memory.number(at: start + BtreeNode.headerByteCount + 8 * index, as: UInt64.self)
        entries.append(
          Entry(key: key, valueByteOffset: values + leafValueByteCount * index))
      } else {
        let child = memory.number(at: values + 8 * index, as: UInt64.self)
        guard collect(child, leafValueByteCount, depth: depth + 1, &budget, &entries) else {
          return false
        }
      }
    }
    return true
  }

  /// The mappings of a tree as maximal runs, and how many mappings they are.
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

  /// Makes the device's details say how many mappings it has, so that damage to the mappings gets past
  /// that check.
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
