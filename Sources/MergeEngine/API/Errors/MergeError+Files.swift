internal import SystemPackage

// Errors about files and devices in any role, about memory, and about asynchronous I/O.

extension MergeError {
  private static let asynchronousCalls =
    "a sandbox, such as a container's seccomp profile, must allow io_setup, io_submit, io_getevents, "
    + "io_pgetevents and io_destroy"

  /// Returns the hint for an error that occurs when the system refuses asynchronous I/O.
  static func asynchronousHint(_ errno: Errno) -> String {
    errno == .notPermitted || errno == .permissionDenied
      ? asynchronousCalls : "the kernel must be built with CONFIG_AIO, and \(asynchronousCalls)"
  }

  /// Returns the hint for an error code that points to a resource limit or a sandbox; nil for any
  /// other error code.
  ///
  /// - `call`: the system call that failed; nil if a sandbox cannot be the cause.
  static func limitHint(_ errno: Errno, call: String? = nil) -> String? {
    switch errno {
    case .tooManyOpenFiles:
      "show the limit on open files (LimitNOFILE= in a service) with".above("ulimit -n")
    case .tooManyOpenFilesInSystem:
      "show the limit on open files with".above("sysctl fs.file-max")
    case .fileTooLarge:
      "the file system has a limit on file sizes; show that of the process (LimitFSIZE= in a service) with"
        .above("ulimit -f")
    case .notPermitted, .noFunction:
      call.map {
        "a sandbox, such as a container's seccomp profile, or an old kernel rejects \($0)"
      }
    default: nil
    }
  }

  /// Returns the error for a file of the wrong kind, such as a directory or a pipe.
  ///
  /// - `kind`: the kind of file that was found.
  static func fileKind(
    _ path: String, _ role: String, is kind: FileKind, onlyRegularFiles: Bool
  ) -> MergeError {
    let expected = onlyRegularFiles ? "a regular file" : "a regular file or a block device"
    return MergeError(
      .wrongFileKind, .refused, "cannot use the \(role)", at: path,
      because: "it is \(kind.inWords); expected \(expected)",
      hint: kind == .symbolicLink ? "use the path that it points to" : nil,
      context: Context(path: path, role: role))
  }

  /// Returns the error for a file or device that cannot be opened.
  ///
  /// - `isRoot`: true if this process runs as root.
  static func cannotOpen(
    _ path: String, _ role: String, _ errno: Errno, isRoot: Bool
  ) -> MergeError {
    let isForbidden = errno == .permissionDenied || errno == .notPermitted
    let hint =
      isRoot
      ? "check whether it is immutable, and how its file system is mounted, with"
        .above("lsattr -d \(path.shellQuoted)", "findmnt -T \(path.shellQuoted)")
      : "run the command as root; or show who may use it with".above("ls -ld \(path.shellQuoted)")
    return MergeError(
      .cannotOpen, .refused, "cannot open the \(role)", at: path, because: errno,
      hint: isForbidden ? hint : limitHint(errno), context: Context(path: path, role: role))
  }

  static func deviceInUse(_ path: String, _ role: String) -> MergeError {
    MergeError(
      .deviceInUse, .busy, "cannot open the \(role)", at: path,
      because: "the device is in use: mounted, or held by another program",
      hint:
        "find its users with".above("lsblk \(path.shellQuoted)", "lsof \(path.shellQuoted)"),
      context: Context(path: path, role: role))
  }

  static func fileReplaced(_ path: String, _ role: String) -> MergeError {
    MergeError(
      .fileReplaced, .refused, "cannot open the \(role)", at: path,
      because: "it was replaced while being opened",
      hint: "find out what replaces it, then run the same command again",
      context: Context(path: path, role: role))
  }

  /// Returns the error for a device that the kernel treats as read-only.
  ///
  /// `blockdev --setrw` cannot make a device-mapper table writable, or a loop device that was
  /// attached as read-only.
  ///
  /// - `mappedName`: the device's name in device-mapper; nil if it is not a device-mapper device.
  static func deviceReadOnly(
    _ path: String, _ role: String, mappedName: String?, isLoopDevice: Bool
  ) -> MergeError {
    let hint: String
    if isLoopDevice {
      hint =
        "the loop device was attached as read-only; detach it, then attach its file for writing"
        .above("losetup -d \(path.shellQuoted)")
    } else if mappedName != nil {
      hint =
        "its device-mapper table is read-only, which blockdev cannot change; reload the table for writing "
        + "with the tool that created the device"
    } else {
      hint =
        "if it should be writable, run"
        .above("blockdev --setrw \(path.shellQuoted)")
    }
    return MergeError(
      .deviceReadOnly, .refused, "cannot write to the \(role)", at: path,
      because: "the device is read-only", hint: hint,
      context: Context(path: path, role: role, name: mappedName))
  }

  static func cannotAskSize(_ path: String, _ role: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotInspect, .refused, "cannot get the size of the \(role)", at: path, because: errno,
      hint: "see the kernel log", context: Context(path: path, role: role))
  }

  static func cannotInspect(_ path: String, _ role: String, _ errno: Errno) -> MergeError {
    MergeError(
      .cannotInspect, .refused, "cannot inspect the \(role)", at: path, because: errno,
      hint: limitHint(errno, call: "statx") ?? "see the kernel log",
      context: Context(path: path, role: role))
  }

  static func metadataUnderLoopDevice(_ path: String, _ loop: String) -> MergeError {
    underLoopDevice(
      path, loop, "the file is in use",
      because: "\(loop) is attached to it; the pool may be active on it")
  }

  static func originUnderLoopDevice(_ path: String, _ loop: String) -> MergeError {
    underLoopDevice(
      path, loop, "the origin is in use",
      because:
        "\(loop) maps the same bytes; a program that uses \(loop) would not see the merged data, or would "
        + "overwrite it")
  }

  private static func underLoopDevice(
    _ path: String, _ loop: String, _ what: String, because why: String
  ) -> MergeError {
    MergeError(
      .underLoopDevice, .busy, what, at: path, because: why,
      hint:
        "when nothing uses that device, detach it with".above("losetup -d \(loop.shellQuoted)"),
      context: Context(path: path, name: loop))
  }

  /// Returns the error for a block device that has no entry in sysfs.
  static func deviceUnseen(_ path: String, _ role: String, number: String) -> MergeError {
    MergeError(
      .deviceUnseen, .refused, "cannot tell what the \(role) consists of", at: path,
      because: "there is no /sys/dev/block/\(number)",
      hint: "mount sysfs with".above("mount -t sysfs sysfs /sys"),
      context: Context(path: path, role: role))
  }

  /// Returns the error for a file to which a loop device may be attached.
  static func loopDevicesUnseen(_ path: String, _ why: LoopBlindness) -> MergeError {
    let (cause, hint): (String, String?) =
      switch why {
      case .noSysfs:
        ("there is no /sys/block", "mount sysfs with".above("mount -t sysfs sysfs /sys"))
      case .node(let node, let errno):
        (
          "\(node) is in use and cannot be opened: \(errno)",
          errno == .noSuchFileOrDirectory ? "create that node in /dev" : nil
        )
      case .file(let node):
        (
          "the file under \(node) is not at the path that the kernel reports",
          "merge where that file is visible, such as outside of the container"
        )
      }
    return MergeError(
      .loopDevicesUnseen, .refused,
      "cannot tell whether a loop device is attached to the origin's file",
      at: path,
      because: cause, hint: hint)
  }

  static func buffersTooLarge(_ byteCount: UInt64) -> MergeError {
    MergeError(
      .buffersTooLarge, .refused, "cannot allocate buffers", at: "memory",
      because: "\(byteCount.formattedByteCount) exceeds the address space",
      context: Context(counts: ["bytes": byteCount]))
  }

  static func noMemory(_ byteCount: UInt64, _ errno: Errno) -> MergeError {
    MergeError(
      .noMemory, .refused, "cannot allocate buffers", at: "memory",
      because: "\(byteCount.formattedByteCount): \(errno)",
      context: Context(counts: ["bytes": byteCount], errno: errno))
  }

  static func requestsUsedUp() -> MergeError {
    MergeError(
      .requestsUsedUp, .busy, "cannot start asynchronous I/O", at: "the kernel",
      because: "all its requests (fs.aio-max-nr) are in use",
      hint: "raise the limit with".above("sysctl fs.aio-max-nr=1048576"), context: Context())
  }

  static func noAsynchronousIO(_ errno: Errno) -> MergeError {
    MergeError(
      .noAsynchronousIO, .refused, "cannot start asynchronous I/O", at: "the kernel",
      because: errno, hint: asynchronousHint(errno), context: Context())
  }
}

/// The reason why the system's loop devices cannot be inspected.
enum LoopBlindness: Equatable {
  case noSysfs
  /// A loop device is in use, but its node cannot be opened.
  case node(String, Errno)
  /// The backing file of a loop device cannot be reached: it was deleted, or it is in another mount
  /// namespace.
  case file(String)
}

/// The kind of file found at a path.
enum FileKind {
  case directory, blockDevice, characterDevice, pipe, socket, symbolicLink, regularFile, other

  /// The kind of file, worded as part of a sentence.
  var inWords: String {
    switch self {
    case .directory: "a directory"
    case .blockDevice: "a block device"
    case .characterDevice: "a character device"
    case .pipe: "a pipe"
    case .socket: "a socket"
    case .symbolicLink: "a symbolic link"
    case .regularFile, .other: "of an unknown kind"
    }
  }
}
