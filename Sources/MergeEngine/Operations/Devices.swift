internal import SystemPackage

/// The open files of a verb, after the checks of who else uses them.
struct Devices {
  let metadata: OpenFile
  let data: OpenFile
  let origin: OpenFile?
  /// The origin through the page cache, for its unaligned rest.
  let originBuffered: OpenFile?

  /// `origin`: how the origin is going to be written to; nil where it is only read.
  /// - Throws: `MergeError`: `busy` when somebody else uses the origin or an inactive pool's metadata.
  init(
    _ source: MergeSource, originPath: String?, writing use: OriginUse?
  ) throws(MergeError) {
    let isInactive = source.mappings == .inactivePool
    metadata = try OpenFile(
      source.metadataPath, role: "metadata device", access: .readOnly, exclusive: isInactive)
    if isInactive { try Self.checkNoLoop(over: metadata, "the pool may be active on it") }
    data = try OpenFile(source.dataPath, role: "data device", access: .readOnly)
    guard !StorageStack(metadata).overlaps(StorageStack(data)) else {
      throw MergeError(
        .refused, "cannot use the data device", at: data.path,
        because: "it is the metadata device, or shares its blocks",
        hint: "--data is the pool's data device: the second in 'dmsetup table POOL'")
    }
    guard let originPath else {
      origin = nil
      originBuffered = nil
      return
    }
    // Opened without O_EXCL first: it says that it is the data device before that it is busy.
    let looked = try OpenFile(originPath, role: "origin", access: .readOnly)
    for (other, role) in [(metadata, "metadata"), (data, "data")]
    where StorageStack(looked).overlaps(StorageStack(other)) {
      throw MergeError(
        .refused, "cannot use the origin", at: originPath,
        because: "it is the pool's \(role) device \(other.path), or shares its blocks",
        hint: "--origin is the external origin, which lies outside the pool")
    }
    guard let use else {
      origin = looked
      originBuffered = nil
      return
    }
    let origin = try OpenFile(
      originPath, role: "origin", access: .readWrite, exclusive: use == .exclusive)
    try Self.takeForThisMerge(origin)
    let buffered = try OpenFile(originPath, role: "origin", access: .readWrite, direct: false)
    guard origin.isSameFile(as: looked), buffered.isSameFile(as: looked) else {
      throw MergeError(
        .refused, "cannot use the origin", at: originPath,
        because: "it was replaced while being opened",
        hint: "see what replaces it, then give the same command again")
    }
    self.origin = origin
    originBuffered = buffered
  }

  /// Whether it is the data device that begins as metadata does.
  var areSwapped: Bool {
    Superblock.isFirst(in: data.path) && !Superblock.isFirst(in: metadata.path)
  }

  private static func takeForThisMerge(_ origin: OpenFile) throws(MergeError) {
    let isLocked: Bool
    do throws(Errno) {
      isLocked = try origin.lock()
    } catch {
      throw MergeError(
        .refused, "cannot lock the origin", at: origin.path, because: "\(error)",
        hint: "its file system has to be one with locks")
    }
    guard isLocked else {
      throw MergeError(
        .busy, "the origin is in use", at: origin.path,
        because: "another program has it locked, perhaps another merge",
        hint: "'lsof \(ShellWord.quoted(origin.path))' shows which")
    }
    guard origin.kind == .regularFile else { return }
    guard !origin.isSwap else {
      throw MergeError(
        .busy, "the origin is in use", at: origin.path, because: "the system swaps to it",
        hint: "'swapoff \(ShellWord.quoted(origin.path))' frees it")
    }
    try checkNoLoop(over: origin, "what uses that device would not see the merge, or destroy it")
    guard !origin.hasForeignLock else {
      throw MergeError(
        .busy, "the origin is in use", at: origin.path,
        because: "another program holds a lock on it, perhaps a virtual machine",
        hint: "'lsof \(ShellWord.quoted(origin.path))' shows which; end it first")
    }
  }

  static func checkNoLoop(over file: OpenFile, _ why: String) throws(MergeError) {
    guard file.kind == .regularFile, let loop = LoopDevice.over(file) else { return }
    throw MergeError(
      .busy, "the file is in use", at: file.path, because: "\(loop) lies over it: \(why)",
      hint: "'losetup -d \(loop)' frees it once nothing uses the device")
  }
}
