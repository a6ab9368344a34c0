internal import SystemPackage

/// The storage for the marks that merges leave on an origin, reachable through every name of the
/// origin.
///
/// The marks of a file are extended attributes of its inode, which hard links, bind mounts and loop
/// devices share. They are in the `user` namespace, so any process that may write to the file may
/// set them. The `trusted` namespace requires `CAP_SYS_ADMIN`, which merging image files does not,
/// and is not visible in a user namespace; `security` belongs to the policy modules. The kernel
/// supports `user` attributes on regular files only, so the marks of a disk are files in the state
/// folder, whose names contain the disk's identity.
///
/// Each mark covers a byte range, because several loop devices or partitions may share one file or
/// disk. A mark that covers the whole file is the attribute `user.thin-merge.0-end`, or
/// `user.thin-merge-finished.0-end` once its merge is finished.
///
/// If a file does not support attributes, or only its inode is known, its marks are in the state
/// folder too, under the inode number. After the file is deleted, or after a reboot, that number
/// may belong to another file.
struct MarkPlace {
  /// The kind of merge that a mark records.
  enum Kind: CaseIterable {
    case unfinishedMerge
    case finishedMerge

    /// The part of an attribute's name that precedes the range.
    fileprivate var attributePrefix: String {
      self == .unfinishedMerge ? "user.thin-merge." : "user.thin-merge-finished."
    }
    /// The text between the identity and the range in a mark file's name.
    fileprivate var fileInfix: String { self == .unfinishedMerge ? ".mark." : ".finished." }
  }

  /// A stored mark.
  struct Stored {
    let kind: Kind
    let name: String
    let range: ByteRange
    let bytes: [UInt8]
    /// True if the mark is an extended attribute, which may be copied along with its file.
    let isAttribute: Bool
  }

  /// The file whose attributes store the marks; nil for a disk, or for a file that cannot be
  /// reached.
  private let file: OpenFile?
  private let stateFolder: String
  /// The name that identifies the disk, or the file's inode, in the state folder.
  private let name: String
  /// True if `name` may belong to another disk or file after a reboot.
  private let isOfBoot: Bool

  /// - `extent`: the origin's bytes.
  /// - `file`: the file that contains those bytes, if it could be opened.
  /// - `identity`: a disk's unique name; may be empty.
  init(_ extent: StorageExtent, in file: OpenFile?, identity: String, stateFolder: String) {
    switch extent.layer {
    case .file(let device, let inode):
      self.init(
        in: file, named: "inode-\(inode)-on-\(device)", isOfBoot: true, stateFolder: stateFolder)
    case .device(let number):
      self.init(
        in: nil, named: identity.isEmpty ? "device-\(number)" : identity,
        isOfBoot: identity.isEmpty, stateFolder: stateFolder)
    }
  }

  init(in file: OpenFile?, named name: String, isOfBoot: Bool, stateFolder: String) {
    self.file = file
    self.stateFolder = stateFolder
    self.name = FileSystem.plainName(name)
    self.isOfBoot = isOfBoot
  }

  /// Returns the stored marks of the given kind.
  func stored(_ kind: Kind) throws(Errno) -> [Stored] {
    let attributes = try file?.attributes(prefix: kind.attributePrefix) ?? []
    let prefix = name + kind.fileInfix
    return attributes.compactMap { attribute in
      Self.range(attribute.name.dropFirst(kind.attributePrefix.count)).map {
        Stored(
          kind: kind, name: attribute.name, range: $0, bytes: attribute.value, isAttribute: true)
      }
    }
      + FileSystem.names(in: stateFolder).compactMap { name in
        guard name.hasPrefix(prefix), let range = Self.range(name.dropFirst(prefix.count)),
          let bytes = FileSystem.firstBytes(of: "\(stateFolder)/\(name)", count: 1 << 16)
        else { return nil }
        return Stored(kind: kind, name: name, range: range, bytes: bytes, isAttribute: false)
      }
  }

  /// Stores a mark of a range durably, replacing any mark of the same kind and range.
  ///
  /// - `processID`: the id of this process, used in the names of temporary files.
  /// - `bytes`: returns the mark's content, including the boot id if the mark is valid for this
  ///   boot only.
  /// - Returns: The mark's name.
  /// - Throws: `Errno` from the file's attributes; for a disk, from the state folder.
  func put(
    _ kind: Kind, _ range: ByteRange, processID: Int32, _ bytes: (_ isOfBoot: Bool) -> [UInt8]
  ) throws(Errno) -> String {
    guard let file else { return try putInFolder(kind, bytes(isOfBoot), range, processID) }
    do throws(Errno) {
      let name = kind.attributePrefix + Self.text(range)
      try file.setAttribute(name, to: bytes(false))
      return name
    } catch {
      guard error.isMissingSupport,
        let name = try? putInFolder(kind, bytes(isOfBoot), range, processID)
      else { throw error }
      return name
    }
  }

  private func putInFolder(
    _ kind: Kind, _ bytes: [UInt8], _ range: ByteRange, _ processID: Int32
  ) throws(Errno) -> String {
    let name = self.name + kind.fileInfix + Self.text(range)
    try FileSystem.makeFolders(stateFolder)
    let temporary = "\(stateFolder)/.\(name).\(processID)"
    // This file was left by a killed process that had the same id.
    if FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
    let made = try FileSystem.make(temporary)
    do throws(Errno) {
      try FileSystem.append(bytes, to: made)
      try FileSystem.synchronize(made)
      try FileSystem.rename(temporary, to: "\(stateFolder)/\(name)")
    } catch {
      try? FileSystem.remove(temporary)
      throw error
    }
    try FileSystem.synchronizeFolder(stateFolder)
    return name
  }

  /// Removes a mark durably.
  func remove(_ mark: Stored) throws(Errno) {
    if mark.isAttribute {
      try file?.removeAttribute(mark.name)
    } else {
      try FileSystem.remove("\(stateFolder)/\(mark.name)")
      try FileSystem.synchronizeFolder(stateFolder)
    }
  }

  /// True if marks can be stored in attributes of the origin itself.
  var isOfFile: Bool { file != nil }

  /// Returns the file's current number of hard links; 1 for a disk.
  func nameCountNow() throws(MergeError) -> UInt32 { try file?.nameCountNow() ?? 1 }

  private static func text(_ range: ByteRange) -> String {
    "\(range.start)-" + (range.end == .max ? "end" : "\(range.end)")
  }

  private static func range(_ text: Substring) -> ByteRange? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let start = UInt64(parts[0]),
      let end = parts[1] == "end" ? UInt64.max : UInt64(parts[1]), start <= end
    else { return nil }
    return ByteRange(start: start, end: end)
  }
}
