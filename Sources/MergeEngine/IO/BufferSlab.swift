internal import Glibc
internal import SystemPackage

/// Page-aligned memory taken once and cut into buffers by its user. Pages cost memory only once
/// they are touched.
@safe package struct BufferSlab: ~Copyable {
  package let byteCount: Int
  private let base: UnsafeMutableRawPointer

  /// - Throws: `MergeError` when the system does not give that much.
  package init(byteCount: Int) throws(MergeError) {
    let pageByteCount = 4096
    let wanted = max(byteCount, 1)
    guard wanted <= Int.max - pageByteCount else {
      throw MergeError(.refused, "cannot take buffers", at: "memory", because: "too large")
    }
    let rounded = (wanted + pageByteCount - 1) / pageByteCount * pageByteCount
    // SAFETY: a fresh anonymous mapping that only this value knows; unmapped in deinit.
    let mapped = unsafe mmap(
      nil, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw MergeError(
        .refused, "cannot take buffers", at: "memory",
        because: "\(BinaryText.bytes(UInt64(rounded))) wanted: \(Errno.current)")
    }
    unsafe base = mapped
    self.byteCount = rounded
  }

  deinit { unsafe munmap(base, byteCount) }

  /// Precondition: the bytes lie inside.
  @_lifetime(borrow self)
  package borrowing func bytes(at byteOffset: Int, count: Int) -> RawSpan {
    precondition(byteOffset >= 0 && count >= 0 && byteOffset <= byteCount - count)
    // SAFETY: inside the mapping, which lives as long as `self`; zero-filled memory is initialised.
    let buffer = unsafe UnsafeRawBufferPointer(start: base + byteOffset, count: count)
    let span = unsafe RawSpan(_unsafeBytes: buffer)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// Precondition: the bytes fit at that place.
  package mutating func store(_ bytes: RawSpan, at byteOffset: Int) {
    precondition(byteOffset >= 0 && byteOffset <= byteCount - bytes.byteCount)
    // SAFETY: inside the mapping; the source is another object, so nothing overlaps.
    unsafe bytes.withUnsafeBytes { source in
      guard let sourceBase = source.baseAddress else { return }
      unsafe (base + byteOffset).copyMemory(from: sourceBase, byteCount: source.count)
    }
  }

  /// For the kernel. Precondition: the bytes lie inside.
  borrowing func address(at byteOffset: Int, count: Int) -> UnsafeMutableRawPointer {
    precondition(byteOffset >= 0 && count >= 0 && byteOffset <= byteCount - count)
    return unsafe base + byteOffset
  }
}
