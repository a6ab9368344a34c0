import Fixtures
import MergeEngine

/// The state at a power cut: the durable content, plus the pieces that may or may not survive.
///
/// The pieces are the sectors of cached writes and of writes in flight. Any subset may survive, in
/// any order. A piece in flight may also leave garbage.
struct PowerCut {
  typealias Device = DiskFaults.Device

  /// The part of a write within one sector.
  struct Piece {
    var device: Device
    var byteOffset: UInt64
    var bytes: [UInt8]
    var isInFlight: Bool
    var sequence: UInt64

    var range: ByteRange {
      ByteRange(start: byteOffset, end: byteOffset + UInt64(bytes.count))
    }
  }

  let durable: [Device: SparseContent]
  private let writtenByteCount: [Device: UInt64]
  let pieces: [Piece]

  /// - `inFlight`: the writes that devices have taken but not completed, with the bytes of each.
  init(
    devices: [Device: SimulatedDevice],
    inFlight: [(device: Device, byteOffset: UInt64, bytes: [UInt8])], sectorByteCount: Int
  ) {
    durable = devices.mapValues(\.durable)
    var writtenByteCount = devices.mapValues(\.content.byteCount)
    var pieces: [Piece] = []
    for device in Device.allCases {
      for write in devices[device]?.cache ?? [] {
        pieces += Self.pieces(
          device, write.byteOffset, write.bytes, isInFlight: false, write.sequence,
          sectorByteCount)
      }
      for write in inFlight where write.device == device {
        pieces += Self.pieces(
          device, write.byteOffset, write.bytes, isInFlight: true, .max, sectorByteCount)
        let end = write.byteOffset + UInt64(write.bytes.count)
        writtenByteCount[device] = max(writtenByteCount[device] ?? 0, end)
      }
    }
    self.pieces = pieces
    self.writtenByteCount = writtenByteCount
  }

  private static func pieces(
    _ device: Device, _ byteOffset: UInt64, _ bytes: [UInt8], isInFlight: Bool,
    _ sequence: UInt64, _ sectorByteCount: Int
  ) -> [Piece] {
    var pieces: [Piece] = []
    var first = 0
    while first < bytes.count {
      let place = byteOffset + UInt64(first)
      let end = min(bytes.count, first + sectorByteCount - Int(place % UInt64(sectorByteCount)))
      pieces.append(
        Piece(
          device: device, byteOffset: place, bytes: Array(bytes[first..<end]),
          isInFlight: isInFlight, sequence: sequence))
      first = end
    }
    return pieces
  }

  /// The ranges of the origin that may end up with neither the old nor the new bytes.
  var tornRanges: RangeSet {
    var ranges = RangeSet()
    for piece in pieces where piece.device == .target && piece.isInFlight {
      ranges.insert(piece.range)
    }
    return ranges
  }

  /// Returns true if the durable content and the undecided pieces are the same as in `other`.
  func allowsTheSame(as other: PowerCut) -> Bool {
    pieces.count == other.pieces.count
      && zip(pieces, other.pieces).allSatisfy {
        $0.device == $1.device && $0.range == $1.range && $0.sequence == $1.sequence
      }
      && Device.allCases.allSatisfy { durable[$0]?.byteCount == other.durable[$0]?.byteCount }
  }

  /// Returns a randomly chosen surviving state.
  func survivors(using generator: inout SeededGenerator) -> [Device: SparseContent] {
    var contents = durable
    // Few or many pieces survive, either independently or in runs of neighbors.
    let survivingPercent = [2, 20, 50, 80, 98].randomElement(using: &generator) ?? 50
    let keepsRuns = generator.chance(oneIn: 2)
    let trashesOneIn = [3, 10, 100].randomElement(using: &generator) ?? 10
    let order = generator.chance(oneIn: 2) ? pieces : pieces.shuffled(using: &generator)
    var survives = false
    var ends: [Device: UInt64] = [:]
    for (index, piece) in order.enumerated() {
      if !keepsRuns || index == 0 || generator.chance(oneIn: 8) {
        survives = Int.random(in: 0..<100, using: &generator) < survivingPercent
      }
      let isTrashed = piece.isInFlight && generator.chance(oneIn: trashesOneIn)
      guard survives || isTrashed else { continue }
      contents[piece.device]?.write(
        isTrashed ? Self.garbage(piece.bytes.count, using: &generator) : piece.bytes,
        at: piece.byteOffset)
      ends[piece.device] = max(ends[piece.device] ?? 0, piece.range.end)
    }
    for device in Device.allCases {
      guard let before = durable[device]?.byteCount, let written = writtenByteCount[device],
        written > before
      else { continue }
      // A file's new size reaches the medium before or after the content written past its old end.
      let byteCount: UInt64 =
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: written
        case 1: .random(in: before...written, using: &generator)
        default: max(before, ends[device] ?? 0)
        }
      contents[device]?.resize(to: byteCount)
    }
    return contents
  }

  /// Returns every possible surviving state without garbage, or none if there are more than
  /// `2^pieceCountMax`.
  func everySurvival(pieceCountMax: Int) -> [[Device: SparseContent]] {
    guard pieces.count <= pieceCountMax else { return [] }
    return (0..<1 << pieces.count).map { chosen in
      var contents = durable
      for (index, piece) in pieces.enumerated() where chosen >> index & 1 == 1 {
        contents[piece.device]?.write(piece.bytes, at: piece.byteOffset)
        let byteCount = contents[piece.device]?.byteCount ?? 0
        contents[piece.device]?.byteCount = max(byteCount, piece.range.end)
      }
      return contents
    }
  }

  private static func garbage(_ count: Int, using generator: inout SeededGenerator) -> [UInt8] {
    let word = generator.next()
    return (0..<count).map { UInt8(truncatingIfNeeded: word >> UInt64($0 % 8 * 8) &+ UInt64($0)) }
  }
}
