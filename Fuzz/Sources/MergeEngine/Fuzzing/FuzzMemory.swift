internal import Glibc

/// The memory for the content of the simulated device or file, and for the slab into which that
/// content is read.
///
/// It is allocated only once and shared by all executions, because allocating a slab for each would
/// cost more than everything else.
@safe package final class FuzzMemory {
  static let pageByteCount = 4096
  static let mediumByteCountMax = 1 << 20
  private static let slabByteCountMax = TreeWalker.slabByteCount

  /// The content of the simulated device.
  private let medium: UnsafeMutableRawPointer
  private(set) var mediumByteCount = 0
  private let slab: UnsafeMutableRawPointer
  /// For each page of the slab, the number of bytes at its start that this execution has filled by
  /// reading.
  private var filled: [UInt16]

  /// The execution's requests that are in flight; `requestTotal` counts all of its requests.
  var requests: [IORequest] = []
  var requestTotal = 0

  package init() {
    unsafe medium = .allocate(
      byteCount: Self.mediumByteCountMax, alignment: Self.pageByteCount)
    unsafe slab = .allocate(byteCount: Self.slabByteCountMax, alignment: Self.pageByteCount)
    filled = [UInt16](repeating: 0, count: Self.slabByteCountMax / Self.pageByteCount)
  }

  deinit {
    unsafe medium.deallocate()
    unsafe slab.deallocate()
  }

  /// Empties the medium for a new execution.
  func begin() {
    mediumByteCount = 0
    beginReading()
  }

  /// Forgets all requests and all bytes read into the slab, because a new queue is used.
  func beginReading() {
    requests.removeAll(keepingCapacity: true)
    requestTotal = 0
    for page in filled.indices { filled[page] = 0 }
  }

  /// Extends the medium with zeros, or truncates it.
  ///
  /// Precondition: `byteCount` is at most ``mediumByteCountMax``.
  func resize(_ byteCount: Int) {
    precondition(byteCount >= 0 && byteCount <= Self.mediumByteCountMax)
    if byteCount > mediumByteCount {
      // SAFETY: the bytes are within the medium, by the precondition.
      unsafe memset(medium + mediumByteCount, 0, byteCount - mediumByteCount)
    }
    mediumByteCount = byteCount
  }

  /// Precondition: the byte range is within the medium.
  func write(_ bytes: RawSpan, at byteOffset: Int) {
    precondition(byteOffset >= 0 && byteOffset <= mediumByteCount - bytes.byteCount)
    // SAFETY: the bytes are within the medium, by the precondition; the source is a different
    // object.
    unsafe bytes.withUnsafeBytes { source in
      guard let base = source.baseAddress else { return }
      unsafe (medium + byteOffset).copyMemory(from: base, byteCount: source.count)
    }
  }

  func write<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at byteOffset: Int) {
    precondition(byteOffset >= 0 && byteOffset <= mediumByteCount - MemoryLayout<Number>.size)
    // SAFETY: the bytes are within the medium, by the precondition.
    unsafe (medium + byteOffset).storeBytes(of: number.littleEndian, as: Number.self)
  }

  /// Returns the integer at an offset in the medium; 0 if the medium ends before the integer does.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    at byteOffset: Int, as type: Number.Type
  ) -> Number {
    guard byteOffset >= 0, byteOffset <= mediumByteCount - MemoryLayout<Number>.size else {
      return 0
    }
    // SAFETY: the bytes are within the medium, and every bit pattern is a valid integer.
    return Number(littleEndian: unsafe (medium + byteOffset).loadUnaligned(as: type))
  }

  func checksum(_ range: Range<Int>) -> UInt32 { CRC32C.checksum(of: mediumBytes(range)) }

  /// Precondition: the byte range is within the medium.
  @_lifetime(borrow self)
  func mediumBytes(_ range: Range<Int>) -> RawSpan {
    precondition(range.lowerBound >= 0 && range.upperBound <= mediumByteCount)
    // SAFETY: the bytes are within the medium, which lives as long as `self`.
    let buffer = unsafe UnsafeRawBufferPointer(start: medium + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: buffer), borrowing: self)
  }

  /// Marks a request's bytes in the slab as invalid until they have been read.
  func take(_ request: IORequest) {
    let end = request.slabByteOffset + request.byteCount
    var page = request.slabByteOffset / Self.pageByteCount
    while page * Self.pageByteCount < end {
      let kept = max(0, request.slabByteOffset - page * Self.pageByteCount)
      filled[page] = min(filled[page], UInt16(kept))
      page += 1
    }
  }

  /// Reads a request's bytes into the slab, with zeros for any bytes past the medium's end.
  ///
  /// Precondition: the bytes are within the slab.
  func read(_ request: IORequest, count: Int) {
    precondition(
      request.slabByteOffset >= 0 && count >= 0
        && request.slabByteOffset <= Self.slabByteCountMax - count)
    let there =
      request.byteOffset < UInt64(mediumByteCount)
      ? min(count, mediumByteCount - Int(request.byteOffset)) : 0
    // SAFETY: the bytes are within the slab by the precondition, and within the medium because the
    // count is limited.
    unsafe (slab + request.slabByteOffset).copyMemory(
      from: medium + (there > 0 ? Int(request.byteOffset) : 0), byteCount: there)
    unsafe memset(slab + request.slabByteOffset + there, 0, count - there)
    fill(request.slabByteOffset, request.slabByteOffset + count)
  }

  private func fill(_ start: Int, _ end: Int) {
    var page = start / Self.pageByteCount
    while page * Self.pageByteCount < end {
      let first = page * Self.pageByteCount
      if start <= first + Int(filled[page]) {
        filled[page] = max(filled[page], UInt16(min(end - first, Self.pageByteCount)))
      }
      page += 1
    }
  }

  /// Returns bytes of the slab; stops the process if any of them have not been read in this
  /// execution, or are still being read.
  @_lifetime(borrow self)
  func slabBytes(at byteOffset: Int, count: Int) -> RawSpan {
    let end = byteOffset + count
    Finding.unless(
      byteOffset >= 0 && count >= 0 && end <= Self.slabByteCountMax,
      "bytes \(byteOffset)..<\(end) lie outside of the slab")
    var page = byteOffset / Self.pageByteCount
    while page * Self.pageByteCount < end {
      Finding.unless(
        Int(filled[page]) >= min(end - page * Self.pageByteCount, Self.pageByteCount),
        "bytes \(byteOffset)..<\(end) of the slab are looked at; page \(page) has \(filled[page])")
      page += 1
    }
    // SAFETY: the bytes are within the slab, which lives as long as `self`.
    let buffer = unsafe UnsafeRawBufferPointer(start: slab + byteOffset, count: count)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: buffer), borrowing: self)
  }
}
