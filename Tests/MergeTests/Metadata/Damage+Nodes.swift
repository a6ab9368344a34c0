import Fixtures

/// A B-tree node that is read when device 1 is merged, with its name for test descriptions.
private struct NodeUnderTest: Sendable {
  let name: String
  let find: @Sendable (PoolImage) -> Int

  init(_ name: String, find: @escaping @Sendable (PoolImage) -> Int) {
    self.name = name
    self.find = find
  }

  static let all: [NodeUnderTest] =
    (0..<PoolImageBuilder.sound.build().tree.depth).map { level in
      NodeUnderTest("node 0 at level \(level) of the mapping tree") { $0.tree.levels[level][0] }
    } + [
      NodeUnderTest("the last leaf of the mapping tree") {
        $0.tree.leaves[$0.tree.leaves.count - 1]
      },
      NodeUnderTest("the root of the top-level tree") { $0.held.topLevel.root },
      NodeUnderTest("the root of the details tree") { $0.held.details.root },
    ]
}

extension Damage {
  /// Damage that can affect any B-tree node.
  static let ofAnyNode: [Damage] = NodeUnderTest.all.flatMap { node in
    [
      damage(of: node, "has a wrong checksum", repairingChecksum: false) {
        $0.setKey(0, to: $0.key(0) ^ 1 << 40)
      },
      damage(of: node, "says it is another block") { $0.blockNumber += 1 },
      damage(of: node, "is neither internal nor leaf") { $0.flags = 0 },
      damage(of: node, "is internal and leaf at once") { $0.flags = 3 },
      Damage("\(node.name) is of the other kind") { image in
        image.editNode(at: node.find(image)) { $0.flags = 3 - $0.flags }
        return .metadataFile
      },
      damage(of: node, "has an unknown flag") { $0.flags |= 4 },
      damage(of: node, "has values of no bytes") { $0.valueByteCount = 0 },
      damage(of: node, "has values of 16 bytes") { $0.valueByteCount = 16 },
      damage(of: node, "has values of 4 GiB") { $0.valueByteCount = .max },
      damage(of: node, "has room for no entry") { $0.entryCountMax = 0 },
      damage(of: node, "has room for more entries than fit") { $0.entryCountMax = 255 },
      damage(of: node, "has room for 4 Gi entries") { $0.entryCountMax = .max },
      damage(of: node, "has more entries than room") { $0.entryCount = $0.entryCountMax + 1 },
      damage(of: node, "has 4 Gi entries") { $0.entryCount = .max },
    ]
  }

  private static func damage(
    of node: NodeUnderTest, _ what: String, repairingChecksum: Bool = true,
    _ edit: @escaping @Sendable (inout NodeEditor) -> Void
  ) -> Damage {
    Damage("\(node.name) \(what)") { image in
      let block = node.find(image)
      image.editNode(at: block, repairingChecksum: repairingChecksum, edit)
      return .blocks([block])
    }
  }

  /// Damage to the order of keys in nodes that still have valid checksums.
  static let ofKeys: [Damage] = [
    Damage("a leaf has equal keys") { image in
      image.damageFirstLeaf { $0.setKey(2, to: $0.key(1)) }
    },
    Damage("a leaf has descending keys") { image in
      image.damageFirstLeaf {
        let key = $0.key(1)
        $0.setKey(1, to: $0.key(2))
        $0.setKey(2, to: key)
      }
    },
    Damage("an internal node has equal keys") { image in
      image.damageFirstParent { $0.setKey(2, to: $0.key(1)) }
    },
    Damage("an internal node has descending keys") { image in
      image.damageFirstParent { $0.setKey(1, to: $0.key(2) + 1) }
    },
    Damage("a leaf's first key is below its parent's key") { image in
      let second = image.tree.leaves[1]
      image.editNode(at: second) { $0.setKey(0, to: $0.key(0) - 1) }
      return .blocks([second, image.firstParent])
    },
    Damage("a parent's first key is above its leaf's first key") { image in
      image.editNode(at: image.firstParent) { $0.setKey(0, to: $0.key(0) + 1) }
      return .blocks([image.firstLeaf, image.firstParent])
    },
    Damage("a leaf's last key belongs to its neighbour") { image in
      let neighbour = NodeEditor(block: image.metadata[image.tree.leaves[1]]).key(0)
      return image.damageFirstLeaf { $0.setKey(Int($0.entryCount) - 1, to: neighbour) }
    },
    Damage("a leaf's last key belongs to its parent's neighbour") { image in
      let leaf = image.tree.leaves[2]
      let neighbour = NodeEditor(block: image.metadata[image.tree.leaves[3]]).key(0)
      image.editNode(at: leaf) { $0.setKey(Int($0.entryCount) - 1, to: neighbour) }
      return .blocks([leaf])
    },
    Damage("an internal node has no entries") { image in
      image.damageFirstParent { $0.entryCount = 0 }
    },
    Damage("the root of a tree is internal and has no entries") { image in
      image.editNode(at: image.tree.root) { $0.entryCount = 0 }
      return .blocks([image.tree.root])
    },
    Damage("the top-level tree has equal keys") { image in
      let root = image.held.topLevel.root
      image.editNode(at: root) { $0.setKey(2, to: $0.key(1)) }
      return .blocks([root])
    },
    Damage(
      "the byte offset of a thin block overflows",
      options: ["--past-end", "clip", "--thin-size", String(PoolImageBuilder.originByteCount)]
    ) { image in
      let last = image.tree.leaves[image.tree.leaves.count - 1]
      image.editNode(at: last) { $0.setKey(Int($0.entryCount) - 1, to: 1 << 60) }
      return .blocks([last])
    },
  ]

  /// Damage to the shape of a tree whose nodes still have valid checksums.
  static let ofShape: [Damage] = [
    Damage("a child is block 0") { $0.redirectSecondChild(to: 0) },
    Damage("a child is the held copy") { image in
      image.redirectSecondChild(to: UInt64(image.blockNumber(of: .held)))
    },
    Damage("a child is the first block past the end") { image in
      image.redirectSecondChild(to: UInt64(image.metadata.blockCount))
    },
    Damage("a child is past the end by far") { $0.redirectSecondChild(to: .max) },
    Damage("a child is past the space map's end but inside the file") { image in
      let last = image.metadata.blockCount - 1
      let leaf = image.tree.leaves[1]
      image.metadata[last] = image.metadata[leaf]
      image.editNode(at: last) { $0.blockNumber = UInt64(last) }
      image.editSuperblock { $0.metadataBlockCount = UInt64(last) }
      return image.redirectSecondChild(to: UInt64(last))
    },
    Damage("a child is a block that was never written") { image in
      image.redirectSecondChild(to: UInt64(image.metadata.blockCount - 1))
    },
    Damage("a child is an unlike block of a right checksum") { image in
      image.redirectSecondChild(to: UInt64(image.held.details.root))
    },
    Damage("a node is its own child", pool: .chain(depth: 4)) { image in
      let node = image.tree.levels[2][0]
      image.editNode(at: node) { $0.setValue(0, to: UInt64(node)) }
      return .blocks([node])
    },
    Damage("a node's child is the root above it", pool: .chain(depth: 4)) { image in
      let node = image.tree.levels[2][0]
      let root = image.tree.root
      image.editNode(at: node) { $0.setValue(0, to: UInt64(root)) }
      return .blocks([node, root])
    },
    Damage("a leaf is the child of two slots") { image in
      image.redirectSecondChild(to: UInt64(image.firstLeaf))
    },
    Damage("an empty leaf is the child of two slots") { image in
      let leaves = image.tree.leaves
      image.editNode(at: leaves[1]) { $0.entryCount = 0 }
      image.editNode(at: image.firstParent) { $0.setValue(2, to: UInt64(leaves[1])) }
      return .blocks([leaves[1], image.firstParent])
    },
    Damage("a leaf hangs one level higher than the others") { image in
      let parent = image.tree.levels[1][0]
      let leaf = image.tree.leaves[3]
      image.editNode(at: parent) { $0.setValue(1, to: UInt64(leaf)) }
      return .blocks([leaf, parent])
    },
    Damage("a tree has 17 levels", pool: .chain(depth: 17)) { _ in .metadataFile },
    Damage("the top-level root is outside") { image in
      let outside = image.metadata.blockCount
      image.editSuperblock(.held) { $0.topLevelRoot = UInt64(outside) }
      return .metadataFile
    },
    Damage("the details root is block 0") { image in
      image.editSuperblock(.held) { $0.detailsRoot = 0 }
      return .metadataFile
    },
    Damage("the device's root is outside") { image in
      let root = image.held.topLevel.root
      let outside = image.metadata.blockCount
      image.editNode(at: root) { $0.setValue(0, to: UInt64(outside)) }
      return .blocks([root, outside])
    },
    Damage("the device's root is the held copy") { image in
      let root = image.held.topLevel.root
      let heldBlock = image.blockNumber(of: .held)
      image.editNode(at: root) { $0.setValue(0, to: UInt64(heldBlock)) }
      return .blocks([root, heldBlock])
    },
  ]
}
