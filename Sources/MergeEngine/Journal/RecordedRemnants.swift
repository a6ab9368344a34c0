/// Blocks left on the origin by unfinished merges, as recorded in the header of the journal that
/// replaced those merges' journals.
///
/// Each remnant is stored as the thin device's ID (the maximum ID plus one if unknown), the number
/// of recorded bytes, and the fingerprint's byte count, all as variable-length integers, followed
/// by the fingerprint as text.
enum RecordedRemnants {
  /// The maximum number of remnants stored, which is never reached in practice, since each remnant
  /// comes from an abandoned merge.
  static let countMax = 1024
  private static let unknownID = DeviceTrees.deviceIDMax + 1

  static func encoded(_ remnants: [MergeRemnant]) -> [UInt8] {
    var writer = ByteWriter()
    for remnant in remnants.prefix(countMax) {
      let fingerprint = Array(remnant.fingerprint.utf8)
      writer.appendVariable(remnant.deviceID.map(UInt64.init) ?? unknownID)
      writer.appendVariable(remnant.recordedByteCount)
      writer.appendVariable(UInt64(fingerprint.count))
      writer.append(fingerprint)
    }
    return writer.bytes
  }

  /// Decodes remnants up to the first invalid one.
  static func decoded(_ bytes: [UInt8]) -> [MergeRemnant] {
    var reader = ByteReader(RawSpan(_elements: bytes.span))
    var remnants: [MergeRemnant] = []
    while reader.remainingByteCount > 0, remnants.count < countMax {
      guard let deviceID = reader.nextVariable().flatMap({ UInt32(exactly: $0) }),
        let byteCount = reader.nextVariable(),
        let length = reader.nextVariable().flatMap({ Int(exactly: $0) }), length <= 256,
        let fingerprint = reader.next(length)
      else { break }
      remnants.append(
        MergeRemnant(
          deviceID: deviceID == unknownID ? nil : deviceID,
          fingerprint: String(decoding: fingerprint, as: UTF8.self),
          recordedByteCount: byteCount))
    }
    return remnants
  }
}

extension MergeRemnant {
  /// Returns the remnant of a merge whose journal is lost or corrupt.
  ///
  /// - `fingerprint`: the fingerprint of the merge's mappings, as text; may be empty.
  static func unknown(fingerprint: String) -> MergeRemnant {
    MergeRemnant(deviceID: nil, fingerprint: fingerprint, recordedByteCount: 0)
  }
}

extension OriginMarks {
  /// The blocks that earlier merges left on the origin, as far as the origin's marks and their
  /// journals show.
  var remnants: [MergeRemnant] {
    let lost = lostMerges(besides: nil).flatMap { merge -> [MergeRemnant] in
      guard case .journal(let journal) = merge.journal else {
        return [.unknown(fingerprint: merge.fingerprint)]
      }
      return journal.remnants
    }
    let earlier = finishedMerges(besides: "").flatMap { merge -> [MergeRemnant] in
      if case .journal(let journal) = merge.journal { journal.header.remnants } else { [] }
    }
    return lost + earlier
  }
}

extension OpenJournal {
  /// The blocks left on the origin if this journal's merge is abandoned, including blocks from
  /// earlier merges.
  fileprivate var remnants: [MergeRemnant] {
    guard state.attemptCount > 0, !state.isFinished else { return header.remnants }
    return header.remnants + [
      MergeRemnant(
        deviceID: header.deviceID, fingerprint: header.fingerprint.description,
        recordedByteCount: state.doneByteCount)
    ]
  }
}

extension [MergeRemnant] {
  /// Returns the remnants that a merge with the given fingerprint does not overwrite, combined into
  /// one remnant per fingerprint.
  func besides(_ fingerprint: String) -> [MergeRemnant] {
    reduce(into: []) { kept, remnant in
      guard remnant.fingerprint != fingerprint else { return }
      if let index = kept.firstIndex(where: { $0.fingerprint == remnant.fingerprint }) {
        kept[index].recordedByteCount = Swift.max(
          kept[index].recordedByteCount, remnant.recordedByteCount)
      } else {
        kept.append(remnant)
      }
    }
  }
}
