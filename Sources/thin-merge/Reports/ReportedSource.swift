internal import MergeEngine

/// The thin device that a report is about, as the command line or a journal names it.
struct ReportedSource: Equatable, Sendable {
  /// The name of the thin device in an active pool, as typed; nil if the device was not given by
  /// name.
  var name: String?
  var deviceID: UInt32
  var metadataPath, dataPath: String

  /// The wording for the thin device within a sentence.
  var thinDevice: String {
    name.map { "thin device \($0) (dev \(deviceID))" } ?? "thin device \(deviceID)"
  }

  /// The shortest wording for the thin device, for a heading or a list.
  var shortName: String { name ?? "thin device \(deviceID)" }

  /// The paths of the devices that contain the thin device's blocks and its mappings.
  var place: String { "\(dataPath), mappings in \(metadataPath)" }
}

extension ReportedSource {
  /// Creates the description of a source that was typed and has been resolved.
  init(_ found: ResolvedThinDevice, typed: NamedSource) {
    self.init(
      name: typed.name, deviceID: found.source.deviceID, metadataPath: found.source.metadataPath,
      dataPath: found.source.dataPath)
  }

  /// Creates the description of the source of a merge that is recorded in a journal.
  init(_ status: StatusReport) {
    self.init(
      name: status.thinDeviceName, deviceID: status.deviceID, metadataPath: status.metadataPath,
      dataPath: status.dataPath)
  }
}

/// The fields for source and origin that every report on a merge contains; the thin device's id is
/// a separate field.
struct SourceFields: Encodable {
  @Nullable private var name: String?
  private let metadataPath, dataPath: String
  @Nullable private var originPath: String?
  private let metadataBase64, dataBase64, originBase64: String?

  init(_ source: ReportedSource, originPath: String?) {
    name = source.name
    // A report may be read in a different working directory from the command's.
    metadataPath = FileSystem.absolute(source.metadataPath)
    dataPath = FileSystem.absolute(source.dataPath)
    self.originPath = originPath.map { FileSystem.absolute($0) }
    metadataBase64 = JSONText.base64(metadataPath)
    dataBase64 = JSONText.base64(dataPath)
    originBase64 = JSONText.base64(originPath.map { FileSystem.absolute($0) })
  }

  private enum CodingKeys: String, CodingKey {
    case name = "thin_device"
    case metadataPath = "metadata"
    case dataPath = "data"
    case originPath = "origin"
    case metadataBase64 = "metadata_base64"
    case dataBase64 = "data_base64"
    case originBase64 = "origin_base64"
  }
}
