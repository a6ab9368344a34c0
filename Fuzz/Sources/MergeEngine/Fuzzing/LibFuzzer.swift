internal import CLibFuzzer
internal import Glibc
internal import Synchronization

extension [UInt8] {
  /// Mutates the bytes with libFuzzer's built-in mutators, which also use values that it has seen
  /// in comparisons.
  mutating func mutate(byteCountMax: Int) {
    let byteCount = count
    let room = Swift.max(byteCount, Swift.min(byteCountMax, byteCount + 16))
    guard room > 0 else { return }
    self += [UInt8](repeating: 0, count: room - byteCount)
    // SAFETY: the buffer has `room` bytes; the function stays within them and does not keep the
    // pointer.
    let mutatedByteCount = unsafe withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return byteCount }
      return unsafe Int(LLVMFuzzerMutate(base, byteCount, room))
    }
    removeLast(room - mutatedByteCount)
  }
}

/// The number of inputs that get past the checks; if there are few, only refusals are being tested.
private struct Statistics {
  static let total = Atomic<Int>(0)
  static let accepted = Atomic<Int>(0)
}

/// Counts an execution; the number of accepted inputs is printed when the process ends.
package func countExecution(isAccepted: Bool) {
  if Statistics.total.add(1, ordering: .relaxed).oldValue == 0 {
    atexit {
      print("accepted: \(Statistics.accepted.load(ordering: .relaxed))")
    }
  }
  if isAccepted { Statistics.accepted.add(1, ordering: .relaxed) }
}
