internal import SystemPackage

/// Where the marks of merges onto an origin are kept, so that every name of the origin leads to them.
///
/// Of a file they are extended attributes of its inode, which hard links, bind mounts and loop devices share. They are in
/// the namespace `user`: whoever may write to the file may set them. `trusted` needs `CAP_SYS_ADMIN`, which a merge of
/// image files does without, and is not seen in a user namespace; `security` is the policy modules'. The kernel has
/// `user` attributes for regular files only, so those of a disk are files in the state folder, in whose names is the
/// disk's identity.
///
/// Each mark is of a range, since two loop devices or partitions may be of one file or disk. One that is of the whole is
/// the attribute `user.thin-merge.0-end`, or `user.thin-merge-finished.0-end` once its merge is finished.
///
/// Where a file has no attributes, or is known by its inode alone, its marks are in the state folder too, by the inode's
/// number. That is another file's once this one is gone, or after a reboot.
struct MarkPlace {
  /// What a mark is of.
  enum Kind: CaseIterable {
    case unfinishedMerge
    case finishedMerge

    /// The name of an attribute up to its range.
    fileprivate var attributePrefix: String {
      self == .unfinishedMerge ? "user.thin-merge." : "user.thin-merge-finished."
    }
    /// What stands between identity and range in the name of a file.
    fileprivate var fileInfix: String { self == .unfinishedMerge ? ".mark." : ".finished." }
  }

  /// A mark as it is kept.
  struct Stored {
    let kind: Kind
    let name: String
    let range: ByteRange
    let bytes: [UInt8]
    /// Whether it is an attribute, which is copied with its file.
    let isAttribute: Bool
  }

  /// The file whose attributes they are; nil for a disk, and for a file that cannot be reached.
  private let file: OpenFile?
  private let stateFolder: String
  /// The name of the disk, or of the file's inode, in the state folder.
  private let name: String
  /// Whether that is another one's after a reboot.
  private let isOfBoot: Bool

  /// - `extent`: the origin's bytes.
  /// - `file`: the file that they are in, if it could be opened.
  /// - `identity`: of a disk, what tells it from others; may be empty.
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

  /// The marks that are kept.
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

  /// Keeps a mark of a range, durably, in place of another of the same kind and range.
  ///
  /// - `processID`: this process, for names of temporary files.
  /// - `bytes`: what is kept, which has the boot in it if it is of no other.
  /// - Returns: Its name.
  /// - Throws: `Errno` of the file's attributes, if it is a file.
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
    // Left over from a process of that number which was killed here.
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

  /// Removes a mark, durably.
  func remove(_ mark: Stored) throws(Errno) {
    if mark.isAttribute {
      try file?.removeAttribute(mark.name)
    } else {
      try FileSystem.remove("\(stateFolder)/\(mark.name)")
      try FileSystem.synchronizeFolder(stateFolder)
    }
  }

  /// Whether marks can be kept at the origin itself.
  var isOfFile: Bool { file != nil }

  /// How many names the file has now.
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
