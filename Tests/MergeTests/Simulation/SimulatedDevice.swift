import Fixtures
import MergeEngine

/// A simulated device, with its readable content and the part that would survive a power cut.
///
/// A completed write is readable at once but stays in the device's cache until a flush covers it.
struct SimulatedDevice {
  /// A completed write that no flush has made durable yet.
  struct CachedWrite {
    var byteOffset: UInt64
    var bytes: [UInt8]
    /// The position of the write in the sequence of completed writes to all devices.
    var sequence: UInt64
    /// True if a flush has failed since the write, so that no later flush makes it durable.
    var isLost = false

    var range: ByteRange {
      ByteRange(start: byteOffset, end: byteOffset + UInt64(bytes.count))
    }
  }

  /// The content that reads return.
  private(set) var content: SparseContent
  /// The content that survives any power cut.
  private(set) var durable: SparseContent
  /// The cached writes, oldest first.
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

  /// Makes all writes durable that completed before the flush was issued.
  mutating func flush(upTo sequence: UInt64) {
    var flushed: [CachedWrite] = []
    cache.removeAll { write in
      guard write.sequence <= sequence, !write.isLost else { return false }
      durable.write(write.bytes, at: write.byteOffset)
      durable.byteCount = max(durable.byteCount, write.range.end)
      flushed.append(write)
      return true
    }
    // Older writes to the same range, lost by a failed flush, can no longer reach the medium.
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

  /// Discards lost writes, so that reads return only durable content and pending writes.
  mutating func forgetLost() {
    cache.removeAll { $0.isLost }
    content = durable
    for write in cache {
      content.write(write.bytes, at: write.byteOffset)
      content.byteCount = max(content.byteCount, write.range.end)
    }
  }

  /// Records a failed flush: cached writes stay readable, but no later flush makes them durable.
  mutating func loseCache() {
    for index in cache.indices { cache[index].isLost = true }
  }

  /// Writes bytes durably to the device, as another program would.
  mutating func put(_ bytes: [UInt8], at byteOffset: UInt64) {
    let end = byteOffset + UInt64(bytes.count)
    content.write(bytes, at: byteOffset)
    durable.write(bytes, at: byteOffset)
    content.byteCount = max(content.byteCount, end)
    durable.byteCount = max(durable.byteCount, end)
    trim(ByteRange(start: byteOffset, end: end), before: .max)
  }

  /// Grows or shrinks the device durably.
  mutating func setByteCount(_ byteCount: UInt64) {
    content.resize(to: byteCount)
    durable.resize(to: byteCount)
    cache.removeAll { $0.byteOffset >= byteCount }
    for index in cache.indices where cache[index].range.end > byteCount {
      cache[index].bytes.removeLast(Int(cache[index].range.end - byteCount))
    }
  }

  /// Returns true if the content of the range does not depend on which cached writes survive.
  func isDurable(_ range: ByteRange) -> Bool {
    cache.allSatisfy { write in
      guard write.range.overlaps(range) else { return true }
      return durable.bytes(at: write.byteOffset, count: write.bytes.count) == write.bytes
    }
  }

  /// True if no writes are waiting for a flush.
  var isDurable: Bool { cache.isEmpty }
}
