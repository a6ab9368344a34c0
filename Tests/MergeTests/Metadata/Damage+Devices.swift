import Fixtures

@testable import MergeEngine

extension Damage {
  /// Damage to mappings and device details in blocks that still have valid checksums.
  static let ofDevices: [Damage] = [
    Damage("a data block is the first past the pool's end") { image in
      let dataBlock = UInt64(image.dataBlockCount)
      return image.damageFirstLeaf { $0.setValue(1, to: ThinMapping(0, dataBlock).packed) }
    },
    Damage("a data block is the last that 40 bits can name") { image in
      image.damageFirstLeaf { $0.setValue(1, to: ThinMapping(0, 1 << 40 - 1).packed) }
    },
    Damage("a data block is mapped twice in one leaf") { image in
      image.damageFirstLeaf { $0.setValue(2, to: $0.value(1)) }
    },
    Damage("a data block is mapped twice, in two leaves and at different times") { image in
      let last = image.tree.leaves[image.tree.leaves.count - 1]
      let twice = NodeEditor(block: image.metadata[image.firstLeaf]).value(1)
      image.editNode(at: last) { $0.setValue(0, to: twice + 1) }
      return .blocks([last])
    },
    Damage("a data block is mapped twice, behind leaves that are added up", pool: .manyLeaves) {
      image in
      let leaf = image.tree.leaves[2 * BackgroundPlanner.batchLeafCount + 38]
      let twice = NodeEditor(block: image.metadata[image.firstLeaf]).value(0)
      image.editNode(at: leaf) { $0.setValue(0, to: twice) }
      return .blocks([leaf])
    },
    Damage("a data block is mapped twice, and the details count one mapping more") { image in
      _ = image.editDetails(of: 1) { details, slot in details.setValue(slot, to: 41) }
      return image.damageFirstLeaf { $0.setValue(2, to: $0.value(1)) }
    },
    Damage("the details count one mapping more than there are") { image in
      image.editDetails(of: 1) { details, slot in details.setValue(slot, to: 41) }
    },
    Damage("the details count one mapping fewer than there are") { image in
      image.editDetails(of: 1) { details, slot in details.setValue(slot, to: 39) }
    },
    Damage("a mapping is missing from a leaf") { image in
      image.editNode(at: image.firstLeaf) { $0.entryCount -= 1 }
      return .metadataFile
    },
    Damage("the device is only in the top-level tree", devID: 9) { image in
      image.editNode(at: image.held.details.root) { $0.entryCount -= 1 }
      return .metadataFile
    },
    Damage("the device is only in the details tree", devID: 9) { image in
      image.editNode(at: image.held.topLevel.root) { $0.entryCount -= 1 }
      return .metadataFile
    },
    Damage("no device has the wanted id", devID: 2) { _ in .metadataFile },
    Damage("the wanted id is the highest there can be", devID: 16_777_215) { _ in .metadataFile },
  ]
}

extension PoolImage {
  /// Edits the details entry of a device, and returns the metadata file as the culprit.
  fileprivate mutating func editDetails(
    of devID: UInt64, _ edit: (inout NodeEditor, Int) -> Void
  ) -> Damage.Culprit {
    editNode(at: held.details.root) { node in
      for slot in 0..<Int(node.entryCount) where node.key(slot) == devID { edit(&node, slot) }
    }
    return .metadataFile
  }
}
