internal import Glibc
internal import MergeEngine
internal import Synchronization

/// Writes texts to a file descriptor in order, on a thread of its own.
///
/// A stopped terminal, or a pipe that no process reads, blocks only that thread. The thread masks
/// all signals, so signals are still delivered to the verb's thread.
final class StreamWriter: Sendable {
  private struct Text {
    var bytes: [UInt8]
    var isDispensable: Bool
  }

  private struct State {
    /// The texts not yet written; the thread is currently writing the first one.
    var waiting: [Text] = []
    var waitingByteCount = 0
    var writtenByteCount: UInt64 = 0
    /// The error number of the first text that could not be written.
    var errno: Int32?
    var hasThread = false
  }

  /// The result of waiting for the reader.
  enum End: Equatable {
    case written
    /// The number of the first error that the system returned.
    case failed(Int32)
    /// The reader accepted nothing for as long as the caller was willing to wait.
    case notRead
  }

  /// The number of unwritten bytes above which dispensable text is dropped.
  private static let dispensableByteCountMax = 64 << 10
  /// The time that a caller waits for its text to be written if no other text is ahead of it.
  private static let patienceAtOnce = Duration.milliseconds(100)

  private let descriptor: Int32
  private let clock: Clock
  private let isHandedOver = Semaphore(0)
  private let state = Mutex(State())

  init(to descriptor: Int32, clock: Clock = ThisSystem.clock) {
    self.descriptor = descriptor
    self.clock = clock
  }

  /// Hands over a text to be written, and gives the reader a moment to accept it.
  ///
  /// `isDispensable`: true for text that is dropped if too much text is still unwritten.
  func write(_ text: String, isDispensable: Bool = false) {
    guard !text.isEmpty else { return }
    let text = Text(bytes: Array(text.utf8), isDispensable: isDispensable)
    let isStalled = state.withLock { state in
      let isStalled = !state.waiting.isEmpty
      if isDispensable,
        state.waitingByteCount + text.bytes.count > Self.dispensableByteCountMax, isStalled
      {
        return true
      }
      state.waiting.append(text)
      state.waitingByteCount += text.bytes.count
      startThread(&state)
      return isStalled
    }
    isHandedOver.signal()
    if !isStalled { _ = waitUntilWritten { $0 < Self.patienceAtOnce } }
  }

  /// Waits until all text that was handed over has been written.
  ///
  /// `isPatient`: called repeatedly with the time during which the reader has accepted nothing;
  /// returns false to stop waiting.
  func waitUntilWritten(while isPatient: (Duration) -> Bool) -> End {
    var (written, isDone) = progress
    var movedAt = clock.now()
    var nap = Duration.microseconds(20)
    while !isDone {
      guard isPatient(clock.now() - movedAt) else { return .notRead }
      clock.sleep(nap)
      nap = min(nap * 2, .milliseconds(20))
      let before = written
      (written, isDone) = progress
      if written != before { movedAt = clock.now() }
    }
    return state.withLock { $0.errno }.map { .failed($0) } ?? .written
  }

  /// True while any waiting text must not be lost if it can be written.
  var hasIndispensable: Bool {
    state.withLock { $0.waiting.contains { !$0.isDispensable } }
  }

  private var progress: (writtenByteCount: UInt64, isDone: Bool) {
    state.withLock { ($0.writtenByteCount, $0.waiting.isEmpty) }
  }

  private func startThread(_ state: inout State) {
    guard !state.hasThread else { return }
    state.hasThread =
      (try? SystemThread(stackByteCount: 64 << 10) { [self] in writeForEver() }.detach()) != nil
    // If no thread can be created, the caller that hands over a text writes it itself.
    guard !state.hasThread else { return }
    for text in state.waiting { state.errno = state.errno ?? write(text.bytes) { _ in } }
    state.waiting = []
    state.waitingByteCount = 0
  }

  private func writeForEver() {
    while true {
      isHandedOver.wait()
      guard let text = state.withLock({ $0.waiting.first }) else { continue }
      let errno = write(text.bytes) { count in
        state.withLock { $0.writtenByteCount += UInt64(count) }
      }
      state.withLock { state in
        state.errno = state.errno ?? errno
        state.waiting.removeFirst()
        state.waitingByteCount -= text.bytes.count
      }
    }
  }

  /// Writes all of `bytes`; returns the error number if that fails, or nil.
  private func write(_ bytes: [UInt8], _ moved: (Int) -> Void) -> Int32? {
    // SAFETY: the pointer is used only within the closure, for the bytes of the buffer.
    unsafe bytes.withUnsafeBytes { bytes in
      var rest = unsafe bytes[...]
      while unsafe !rest.isEmpty {
        let part = unsafe UnsafeRawBufferPointer(rebasing: rest)
        let written = unsafe Glibc.write(descriptor, part.baseAddress, part.count)
        if written > 0 {
          unsafe rest = rest.dropFirst(written)
          moved(written)
        } else if written < 0, errno == EAGAIN {
          waitForRoom()
        } else if written < 0, errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }

  /// Waits until a nonblocking descriptor accepts more; another program that shares the descriptor
  /// may have made it nonblocking.
  private func waitForRoom() {
    var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    _ = unsafe poll(&room, 1, -1)
  }
}
