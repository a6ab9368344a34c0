internal import Fixtures

/// Mutates inputs for the metadata fuzzer, using knowledge of the tree format.
package struct MetadataMutator {
  private static let superblockFields = [4, 8, 44, 48, 56, 64, 192, 320, 328, 336, 340, 360]
  private static let nodeFields = [4, 16, 20, 24]
  private var generator: SeededGenerator

  package init(seed: UInt32) { generator = SeededGenerator(seed: UInt64(seed)) }

  /// Returns a mutated copy of the input, with at most `byteCountMax` bytes.
  package mutating func mutate(_ bytes: [UInt8], byteCountMax: Int) -> [UInt8] {
    var input = MetadataInput(decoding: bytes)
    mutate(&input)
    if generator.chance(oneIn: 4) { mutate(&input) }
    return Array(input.encoded.prefix(byteCountMax))
  }

  private mutating func mutate(_ input: inout MetadataInput) {
    guard !input.blocks.isEmpty, !generator.chance(oneIn: 8) else {
      return mutateChoices(&input)
    }
    let block = Int.random(in: 0..<input.blocks.count, using: &generator)
    switch Int.random(in: 0..<12, using: &generator) {
    case 0, 1: input.blocks[block].head.mutate(byteCountMax: BlockKind.blockByteCount)
    case 2, 3: input.blocks[block].values.mutate(byteCountMax: 2048)
    case 4: copy(block, &input)
    case 5: swapValues(block, &input)
    case 6: setValue(block, &input)
    case 7: setKey(block, &input)
    case 8: setField(block, &input)
    case 9: insertEntry(block, &input)
    case 10: removeEntry(block, &input)
    default: putNodeAbove(block, &input)
    }
  }

  private mutating func mutateChoices(_ input: inout MetadataInput) {
    if Bool.random(using: &generator) {
      input.choices.bytes.mutate(byteCountMax: MetadataInput.Choices.byteCount)
      let missing = MetadataInput.Choices.byteCount - input.choices.bytes.count
      input.choices.bytes += [UInt8](repeating: 0, count: max(0, missing))
    } else {
      let index = Int.random(in: 0..<MetadataInput.Choices.byteCount, using: &generator)
      input.choices.bytes[index] = UInt8.random(in: 0...255, using: &generator)
    }
  }

  /// Returns a random integer that is likely to be a boundary value or the number of a block.
  private mutating func number(_ input: MetadataInput) -> UInt64 {
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: UInt64.random(in: 0...UInt64(input.blocks.count), using: &generator)
    case 1: UInt64.random(in: 0..<300, using: &generator)
    case 2:
      ((1 as UInt64) << UInt64.random(in: 0..<64, using: &generator))
        &- UInt64.random(in: 0...2, using: &generator)
    default: generator.next() >> UInt64.random(in: 0..<64, using: &generator)
    }
  }

  private mutating func copy(_ block: Int, _ input: inout MetadataInput) {
    let other = Int.random(in: 0...input.blocks.count, using: &generator)
    if other < input.blocks.count {
      input.blocks[other] = input.blocks[block]
    } else if input.blocks.count < MetadataInput.blockCountMax {
      input.blocks.append(input.blocks[block])
    }
  }

  private func wordCount(_ bytes: [UInt8]) -> Int { bytes.count / 8 }

  private mutating func swapValues(_ block: Int, _ input: inout MetadataInput) {
    let count = wordCount(input.blocks[block].values)
    guard count > 1 else { return }
    let first = 8 * Int.random(in: 0..<count, using: &generator)
    let other = Int.random(in: 0..<input.blocks.count, using: &generator)
    let otherCount = wordCount(input.blocks[other].values)
    guard otherCount > 0 else { return }
    let second = 8 * Int.random(in: 0..<otherCount, using: &generator)
    let value = input.blocks[block].values.number(at: first, UInt64.self)
    let otherValue = input.blocks[other].values.number(at: second, UInt64.self)
    input.blocks[block].values.set(otherValue, at: first)
    input.blocks[other].values.set(value, at: second)
  }

  private mutating func setValue(_ block: Int, _ input: inout MetadataInput) {
    let count = wordCount(input.blocks[block].values)
    guard count > 0 else { return }
    let index = 8 * Int.random(in: 0..<count, using: &generator)
    var value = number(input)
    // A mapping's value has this format: the block number is above 24 bits of time.
    if Bool.random(using: &generator) { value <<= 24 }
    input.blocks[block].values.set(value, at: index)
  }

  private mutating func setKey(_ block: Int, _ input: inout MetadataInput) {
    let count = wordCount(input.blocks[block].head) - 4
    guard count > 0 else { return }
    let byteOffset = 32 + 8 * Int.random(in: 0..<count, using: &generator)
    let old = input.blocks[block].head.number(at: byteOffset, UInt64.self)
    let key =
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: old &+ 1
      case 1: old &- 1
      default: number(input)
      }
    input.blocks[block].head.set(key, at: byteOffset)
  }

  private mutating func setField(_ block: Int, _ input: inout MetadataInput) {
    let value = number(input)
    let isSuperblock = input.blocks[block].isSuperblock
    let fields = isSuperblock ? Self.superblockFields : Self.nodeFields
    let field = fields.randomElement(using: &generator) ?? 4
    if !isSuperblock, generator.chance(oneIn: 4) {
      // The maximum is set close to the actual number of entries.
      let count = input.blocks[block].head.number(at: 16, UInt32.self)
      let step = UInt32.random(in: 0...4, using: &generator)
      return input.blocks[block].head.set(count &+ step &- 2, at: 20)
    }
    if Bool.random(using: &generator) {
      // Most limits are close to the existing value.
      let old = input.blocks[block].head.number(at: field, UInt32.self)
      let step = UInt32.random(in: 0...8, using: &generator)
      return input.blocks[block].head.set(old &+ step &- 4, at: field)
    }
    if isSuperblock, field != 336, field != 44 {
      input.blocks[block].head.set(value, at: field)
    } else {
      input.blocks[block].head.set(UInt32(truncatingIfNeeded: value), at: field)
    }
  }

  private mutating func insertEntry(_ block: Int, _ input: inout MetadataInput) {
    editEntries(block, &input) { generator, keys, values, valueByteCount in
      let index = Int.random(in: 0...keys.count, using: &generator)
      let before = index > 0 ? keys[index - 1] : 0
      keys.insert(before &+ UInt64.random(in: 0...3, using: &generator), at: index)
      let from = index > 0 ? (index - 1) * valueByteCount : 0
      var value = Array(values.dropFirst(from).prefix(valueByteCount))
      value += [UInt8](repeating: 0, count: valueByteCount - value.count)
      let old = value.number(at: 0, UInt64.self)
      let step = UInt64.random(in: 0...2, using: &generator)
      value.set(old &+ (step << (Bool.random(using: &generator) ? 24 : 0)), at: 0)
      values.insert(contentsOf: value, at: min(values.count, index * valueByteCount))
    }
  }

  private mutating func removeEntry(_ block: Int, _ input: inout MetadataInput) {
    editEntries(block, &input) { generator, keys, values, valueByteCount in
      guard !keys.isEmpty else { return }
      let index = Int.random(in: 0..<keys.count, using: &generator)
      keys.remove(at: index)
      let start = min(values.count, index * valueByteCount)
      values.removeSubrange(start..<min(values.count, start + valueByteCount))
    }
  }

  /// Decodes a node, edits its entries, and encodes it again with the new number of entries.
  private mutating func editEntries(
    _ block: Int, _ input: inout MetadataInput,
    _ edit: (inout SeededGenerator, inout [UInt64], inout [UInt8], Int) -> Void
  ) {
    var node = input.blocks[block]
    let valueByteCount = Int(node.head.number(at: 24, UInt32.self))
    let count = Int(node.head.number(at: 16, UInt32.self))
    guard !node.isSuperblock, (1...64).contains(valueByteCount), count <= 256 else { return }
    var keys = (0..<count).map { node.head.number(at: 32 + 8 * $0, UInt64.self) }
    edit(&generator, &keys, &node.values, valueByteCount)
    var writer = ByteWriter()
    writer.append(Array(node.head.prefix(32)))
    writer.pad(toMultipleOf: 32)
    for key in keys { writer.append(key) }
    node.head = writer.bytes
    node.head.set(UInt32(keys.count), at: 16)
    input.blocks[block] = node
  }

  /// Inserts a new node above a block: everything that pointed to the block points to the new node,
  /// whose only child is the block.
  private mutating func putNodeAbove(_ block: Int, _ input: inout MetadataInput) {
    guard input.blocks.count < MetadataInput.blockCountMax else { return }
    let above = UInt64(input.blocks.count)
    for other in input.blocks.indices {
      if input.blocks[other].isSuperblock {
        for field in [320, 328]
        where input.blocks[other].head.number(at: field, UInt64.self) == block {
          input.blocks[other].head.set(above, at: field)
        }
      }
      for word in 0..<wordCount(input.blocks[other].values)
      where input.blocks[other].values.number(at: 8 * word, UInt64.self) == block {
        input.blocks[other].values.set(above, at: 8 * word)
      }
    }
    var head = ByteWriter()
    for number: UInt32 in [0, 1, 0, 0, 1, 252, 8, 0] { head.append(number) }
    head.append(input.blocks[block].head.number(at: 32, UInt64.self))
    var values = ByteWriter()
    values.append(UInt64(block))
    input.blocks.append(MetadataInput.Block(head: head.bytes, values: values.bytes))
  }
}
