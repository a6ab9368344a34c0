internal import SystemPackage

/// Where the marks of unfinished merges onto an origin are kept, so that every name of the origin leads to them.
///
/// Of a file they are extended attributes of its inode, which hard links, bind mounts and loop devices share. They are in
/// the namespace `user`: whoever may write to the file may set them. `trusted` needs `CAP_SYS_ADMIN`, which a merge of
/// image files does without, and is not seen in a user namespace; `security` is the policy modules'. The kernel has
/// `user` attributes for regular files only, so those of a disk are files in the state folder, in whose names is the
/// disk's identity.
///
/// Each mark is of a range, since two loop devices or partitions may be of one file or disk. One that is of the whole is
/// the attribute `user.thin-merge.0-end`.
enum MarkPlace {
  case inode(OpenFile)
  /// `isOfBoot`: whether the disk's name is its number, and so another disk's after a reboot.
  case folder(String, diskName: String, isOfBoot: Bool)
  /// The file under the origin's loop device is not at the path that sysfs tells.
  case unreachable

  /// A mark as it is kept.
  struct Stored {
    let name: String
    let range: ByteRange
    let bytes: [UInt8]
  }

  private static let attributePrefix = "user.thin-merge."
  private static let fileInfix = ".mark."

  /// What a mark has of the boot: of a disk without an identity, whose name is another disk's after the next one.
  func bootID(_ now: String) -> String {
    if case .folder(_, _, isOfBoot: true) = self { now } else { "" }
  }

  /// - `extent`: the origin's bytes.
  /// - `file`: the file that they are in, if it could be opened.
  init(_ extent: StorageExtent, in file: OpenFile?, identity: String, stateFolder: String) {
    if let file {
      self = .inode(file)
    } else if case .device(let number) = extent.layer {
      self = .folder(
        stateFolder,
        diskName: FileSystem.plainName(identity.isEmpty ? "device-\(number)" : identity),
        isOfBoot: identity.isEmpty)
    } else {
      self = .unreachable
    }
  }

  /// The marks that are kept; none where there is no place for any.
  func stored() throws(Errno) -> [Stored] {
    switch self {
    case .inode(let file):
      return try file.attributes(prefix: Self.attributePrefix).compactMap { attribute in
        Self.range(attribute.name.dropFirst(Self.attributePrefix.count)).map {
          Stored(name: attribute.name, range: $0, bytes: attribute.value)
        }
      }
    case .folder(let folder, let diskName, _):
      let prefix = diskName + Self.fileInfix
      return FileSystem.names(in: folder).compactMap { name in
        guard name.hasPrefix(prefix), let range = Self.range(name.dropFirst(prefix.count)),
          let bytes = FileSystem.firstBytes(of: "\(folder)/\(name)", count: 1 << 16)
        else { return nil }
        return Stored(name: name, range: range, bytes: bytes)
      }
    case .unreachable: return []
    }
  }

  /// Keeps a mark of a range, durably, in place of another of the same range.
  ///
  /// - `processID`: this process, for names of temporary files.
  /// - Returns: Its name.
  func put(_ bytes: [UInt8], _ range: ByteRange, processID: Int32) throws(Errno) -> String {
    switch self {
    case .inode(let file):
      let name = Self.attributePrefix + Self.text(range)
      try file.setAttribute(name, to: bytes)
      return name
    case .folder(let folder, let diskName, _):
      let name = diskName + Self.fileInfix + Self.text(range)
      try FileSystem.makeFolders(folder)
      let temporary = "\(folder)/.\(name).\(processID)"
      // Left over from a process of that number which was killed here.
      if FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
      let made = try FileSystem.make(temporary)
      do throws(Errno) {
        try FileSystem.append(bytes, to: made)
        try FileSystem.synchronize(made)
        try FileSystem.rename(temporary, to: "\(folder)/\(name)")
      } catch {
        try? FileSystem.remove(temporary)
        throw error
      }
      try FileSystem.synchronizeFolder(folder)
      return name
    case .unreachable: throw .notSupported
    }
  }

  /// Removes a mark, durably.
  func remove(_ name: String) throws(Errno) {
    switch self {
    case .inode(let file): try file.removeAttribute(name)
    case .folder(let folder, _, _):
      try FileSystem.remove("\(folder)/\(name)")
      try FileSystem.synchronizeFolder(folder)
    case .unreachable: return
    }
  }

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
