import Fixtures
import MergeEngine

/// One simulated device: what is read from it, and what of that a power cut leaves.
///
/// A completed write can be read at once, but stays in the device's cache until a flush covers it.
struct SimulatedDevice {
  /// A completed write that no flush has made durable.
  struct CachedWrite {
    var byteOffset: UInt64
    var bytes: [UInt8]
    /// Counts the completed writes of all devices.
    var sequence: UInt64
    /// A flush failed since: no later one makes it durable.
    var isLost = false

    var range: ByteRange {
      ByteRange(start: byteOffset, end: byteOffset + UInt64(bytes.count))
    }
  }

  /// What reads find.
  private(set) var content: SparseContent
  /// What is there whatever happens.
  private(set) var durable: SparseContent
  /// The oldest first.
  private(set) var cache: [CachedWrite] = []

  init(_ content: SparseContent) {
    self.content = content
    durable = content
  }

  mutating func write(_ bytes: [UInt8], at byteOffset: UInt64, sequence: UInt64) {
    let write = CachedWrite(byteOffset: byteOffset, bytes: bytes, sequence: sequence)
    content.write(bytes, at: byteOffset)
    content.byteCount = max(content.byteCount, write.range.end)
    cache.append(write)
  }

  /// Makes durable what had completed before the flush was issued.
  mutating func flush(upTo sequence: UInt64) {
    var flushed: [CachedWrite] = []
    cache.removeAll { write in
      guard write.sequence <= sequence, !write.isLost else { return false }
      durable.write(write.bytes, at: write.byteOffset)
      durable.byteCount = max(durable.byteCount, write.range.end)
      flushed.append(write)
      return true
    }
    // What a failed flush left of older writes to the same place comes to the medium no more.
    for write in flushed { trim(write.range, before: write.sequence) }
  }

  private mutating func trim(_ range: ByteRange, before sequence: UInt64) {
    cache = cache.flatMap { old in
      guard old.sequence < sequence, old.range.overlaps(range) else { return [old] }
      return [
        ByteRange(start: old.range.start, end: max(old.range.start, range.start)),
        ByteRange(start: min(old.range.end, range.end), end: old.range.end),
      ].filter { $0.start < $0.end }.map { part in
        let first = Int(part.start - old.byteOffset)
        return CachedWrite(
          byteOffset: part.start, bytes: Array(old.bytes[first..<first + Int(part.byteCount)]),
          sequence: old.sequence, isLost: old.isLost)
      }
    }
  }

  /// What is read comes from the medium again, except for what is still to go there.
  mutating func forgetLost() {
    cache.removeAll { $0.isLost }
    content = durable
    for write in cache {
      content.write(write.bytes, at: write.byteOffset)
      content.byteCount = max(content.byteCount, write.range.end)
    }
  }

  /// A flush failed: what is in the cache stays readable, and no later flush cares for it.
  mutating func loseCache() {
    for index in cache.indices { cache[index].isLost = true }
  }

  /// Puts bytes there durably, as somebody else would.
  mutating func put(_ bytes: [UInt8], at byteOffset: UInt64) {
    let end = byteOffset + UInt64(bytes.count)
    content.write(bytes, at: byteOffset)
    durable.write(bytes, at: byteOffset)
    content.byteCount = max(content.byteCount, end)
    durable.byteCount = max(durable.byteCount, end)
    trim(ByteRange(start: byteOffset, end: end), before: .max)
  }

  /// Makes the device longer or shorter, durably.
  mutating func setByteCount(_ byteCount: UInt64) {
    content.resize(to: byteCount)
    durable.resize(to: byteCount)
    cache.removeAll { $0.byteOffset >= byteCount }
    for index in cache.indices where cache[index].range.end > byteCount {
      cache[index].bytes.removeLast(Int(cache[index].range.end - byteCount))
    }
  }

  /// Whether a range holds the same bytes whatever of the cache survives.
  func isDurable(_ range: ByteRange) -> Bool {
    cache.allSatisfy { write in
      guard write.range.overlaps(range) else { return true }
      return durable.bytes(at: write.byteOffset, count: write.bytes.count) == write.bytes
    }
  }

  /// Whether nothing waits for a flush.
  var isDurable: Bool { cache.isEmpty }
}
