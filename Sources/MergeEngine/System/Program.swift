internal import Glibc
internal import SystemPackage

/// Programs of the system.
package enum Program {
  /// Runs a program and brings what it prints; nil if it cannot be run or fails.
  package static func output(_ command: [String]) -> String? {
    guard let name = command.first else { return nil }
    let path = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map { "\($0)/\(name)" }
      .first(where: FileSystem.exists)
    guard let path else { return nil }
    var ends: [CInt] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { return nil }
    let readEnd = OwnedDescriptor(takingOwnershipOf: ends[0])
    let process: pid_t?
    do {
      let writeEnd = OwnedDescriptor(takingOwnershipOf: ends[1])
      process = start(path, command, output: writeEnd.rawValue, other: readEnd.rawValue)
    }
    guard let process else { return nil }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      // SAFETY: the call writes at most the buffer's own count.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe read(readEnd.rawValue, $0.baseAddress, $0.count)
      }
      if count < 0, Errno.current == .interrupted { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    var status: CInt = 0
    while unsafe waitpid(process, &status, 0) < 0, Errno.current == .interrupted {}
    return status == 0 ? String(decoding: bytes, as: UTF8.self) : nil
  }

  private static func start(
    _ path: String, _ command: [String], output: CInt, other: CInt
  ) -> pid_t? {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addclose(&actions, other)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_addclose(&actions, output)
    // What it complains about is not for the reader of our own messages.
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    // SAFETY: copies made and freed here; both lists end with nil, as the call wants.
    var arguments = unsafe command.map { (text: String) in unsafe strdup(text) } + [nil]
    let variables = [
      "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LVM_SUPPRESS_FD_WARNINGS=1",
    ]
    var environment = unsafe variables.map { (text: String) in unsafe strdup(text) } + [nil]
    defer {
      for index in unsafe arguments.indices { unsafe free(arguments[index]) }
      for index in unsafe environment.indices { unsafe free(environment[index]) }
    }
    var process = pid_t()
    guard unsafe posix_spawn(&process, path, &actions, nil, &arguments, &environment) == 0 else {
      return nil
    }
    return process
  }
}
