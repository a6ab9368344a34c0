internal import Glibc

/// The content of the device or file that is read, and the slab it is read into.
///
/// Taken once for all executions: a slab of its own for each would cost more than everything else.
@safe package final class FuzzMemory {
  static let pageByteCount = 4096
  static let mediumByteCountMax = 1 << 20
  private static let slabByteCountMax = TreeWalker.slabByteCount

  /// The content of the device.
  private let medium: UnsafeMutableRawPointer
  private(set) var mediumByteCount = 0
  private let slab: UnsafeMutableRawPointer
  /// Bytes from the beginning of each page of the slab that were read in this execution.
  private var filled: [UInt16]

  /// Requests of the execution, in flight and in all.
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

  /// Makes the medium empty.
  func begin() {
    mediumByteCount = 0
    beginReading()
  }

  /// Forgets what was read: another queue begins.
  func beginReading() {
    requests.removeAll(keepingCapacity: true)
    requestTotal = 0
    for page in filled.indices { filled[page] = 0 }
  }

  /// Lengthens the medium by zeros, or cuts it.
  ///
  /// Precondition: not above ``mediumByteCountMax``.
  func resize(_ byteCount: Int) {
    precondition(byteCount >= 0 && byteCount <= Self.mediumByteCountMax)
    if byteCount > mediumByteCount {
      // SAFETY: inside of the medium, by the precondition.
      unsafe memset(medium + mediumByteCount, 0, byteCount - mediumByteCount)
    }
    mediumByteCount = byteCount
  }

  /// Precondition: the bytes lie in the medium.
  func write(_ bytes: RawSpan, at byteOffset: Int) {
    precondition(byteOffset >= 0 && byteOffset <= mediumByteCount - bytes.byteCount)
    // SAFETY: inside of the medium, by the precondition; the source is another object.
    unsafe bytes.withUnsafeBytes { source in
      guard let base = source.baseAddress else { return }
      unsafe (medium + byteOffset).copyMemory(from: base, byteCount: source.count)
    }
  }

  func write<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at byteOffset: Int) {
    precondition(byteOffset >= 0 && byteOffset <= mediumByteCount - MemoryLayout<Number>.size)
    // SAFETY: inside of the medium, by the precondition.
    unsafe (medium + byteOffset).storeBytes(of: number.littleEndian, as: Number.self)
  }

  /// The number in the medium; 0 where it ends before.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    at byteOffset: Int, as type: Number.Type
  ) -> Number {
    guard byteOffset >= 0, byteOffset <= mediumByteCount - MemoryLayout<Number>.size else {
      return 0
    }
    // SAFETY: inside of the medium; every bit pattern is a number.
    return Number(littleEndian: unsafe (medium + byteOffset).loadUnaligned(as: type))
  }

  func checksum(_ range: Range<Int>) -> UInt32 { CRC32C.checksum(of: mediumBytes(range)) }

  /// Precondition: the bytes lie in the medium.
  @_lifetime(borrow self)
  func mediumBytes(_ range: Range<Int>) -> RawSpan {
    precondition(range.lowerBound >= 0 && range.upperBound <= mediumByteCount)
    // SAFETY: inside of the medium, which lives as long as `self`.
    let buffer = unsafe UnsafeRawBufferPointer(start: medium + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: buffer), borrowing: self)
  }

  /// Nobody may look at these bytes of the slab until they are read.
  func take(_ request: IORequest) {
    let end = request.slabByteOffset + request.byteCount
    var page = request.slabByteOffset / Self.pageByteCount
    while page * Self.pageByteCount < end {
      let kept = max(0, request.slabByteOffset - page * Self.pageByteCount)
      filled[page] = min(filled[page], UInt16(kept))
      page += 1
    }
  }

  /// Reads into the slab, zeros where the medium is shorter than the device.
  ///
  /// Precondition: the bytes lie in the slab.
  func read(_ request: IORequest, count: Int) {
    precondition(
      request.slabByteOffset >= 0 && count >= 0
        && request.slabByteOffset <= Self.slabByteCountMax - count)
    let there =
      request.byteOffset < UInt64(mediumByteCount)
      ? min(count, mediumByteCount - Int(request.byteOffset)) : 0
    // SAFETY: inside of the slab by the precondition, and of the medium by the minimum.
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

  /// Stops where bytes are looked at that were not read in this execution, or are being read.
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
    // SAFETY: inside of the slab, which lives as long as `self`.
    let buffer = unsafe UnsafeRawBufferPointer(start: slab + byteOffset, count: count)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: buffer), borrowing: self)
  }
}
