internal import Glibc
internal import SystemPackage

/// A page-aligned region of memory, allocated once and divided into buffers by its user.
///
/// A page uses physical memory only once it is touched.
@safe package struct BufferSlab: ~Copyable {
  package enum Pages: Sendable {
    /// Pages of 4 KiB, allocated as they are touched.
    case small
    /// Huge pages if the system provides them, for fewer TLB misses when accesses are scattered.
    case large

    fileprivate var byteCount: Int {
      switch self {
      case .small: 4096
      case .large: 2 << 20
      }
    }
  }

  package let byteCount: Int
  private let mapping: UnsafeMutableRawPointer
  private let mappedByteCount: Int
  private let base: UnsafeMutableRawPointer
  private var isKept = false

  /// Allocates a slab.
  ///
  /// - Throws: `MergeError` if the system cannot allocate the memory.
  package init(byteCount: Int, pages: Pages = .small) throws(MergeError) {
    let wanted = max(byteCount, 1)
    guard wanted <= Int.max / 2 else {
      throw .buffersTooLarge(UInt64(wanted))
    }
    let rounded = (wanted + 4095) / 4096 * 4096
    // Leave room to align the start to a page boundary, as huge pages require.
    let mapped = rounded + pages.byteCount
    // SAFETY: a fresh anonymous mapping that nothing else refers to; unmapped in deinit.
    let mapping = unsafe mmap(
      nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
      throw .noMemory(UInt64(rounded), .current)
    }
    unsafe base = mapping.alignedUp(toMultipleOf: pages.byteCount)
    // This is only a hint: if it fails, the slab still works, just more slowly.
    if pages == .large { unsafe madvise(base, rounded, MADV_HUGEPAGE) }
    unsafe self.mapping = mapping
    mappedByteCount = mapped
    self.byteCount = rounded
  }

  deinit {
    if !isKept { unsafe munmap(mapping, mappedByteCount) }
  }

  /// Keeps the memory until the process ends, because the kernel may still write to it.
  mutating func keep() { isKept = true }

  /// Returns the bytes at a byte offset of the slab.
  ///
  /// - Precondition: The bytes lie inside the slab.
  @_lifetime(borrow self)
  package borrowing func bytes(at byteOffset: Int, count: Int) -> RawSpan {
    precondition(byteOffset >= 0 && count >= 0 && byteOffset <= byteCount - count)
    // SAFETY: the bytes lie inside the mapping, which lives as long as `self`; zero-filled memory
    // counts as initialized.
    let buffer = unsafe UnsafeRawBufferPointer(start: base + byteOffset, count: count)
    let span = unsafe RawSpan(_unsafeBytes: buffer)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// Copies bytes into the slab.
  ///
  /// - Precondition: The bytes fit into the slab at `byteOffset`.
  package mutating func store(_ bytes: RawSpan, at byteOffset: Int) {
    precondition(byteOffset >= 0 && byteOffset <= byteCount - bytes.byteCount)
    // SAFETY: the destination lies inside the mapping; the source is another object, so nothing
    // overlaps.
    unsafe bytes.withUnsafeBytes { source in
      guard let sourceBase = source.baseAddress else { return }
      unsafe (base + byteOffset).copyMemory(from: sourceBase, byteCount: source.count)
    }
  }

  /// Returns the address of bytes in the slab, to be passed to the kernel.
  ///
  /// - Precondition: The bytes lie inside the slab.
  borrowing func address(at byteOffset: Int, count: Int) -> UnsafeMutableRawPointer {
    precondition(byteOffset >= 0 && count >= 0 && byteOffset <= byteCount - count)
    return unsafe base + byteOffset
  }
}
