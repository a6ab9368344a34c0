internal import CLibFuzzer
internal import Glibc
internal import Synchronization

extension [UInt8] {
  /// Changes the bytes as libFuzzer does by itself, also with what it has seen compared.
  mutating func mutate(byteCountMax: Int) {
    let byteCount = count
    let room = Swift.max(byteCount, Swift.min(byteCountMax, byteCount + 16))
    guard room > 0 else { return }
    self += [UInt8](repeating: 0, count: room - byteCount)
    // SAFETY: there are `room` bytes; the function stays within them and keeps no pointer.
    let mutatedByteCount = unsafe withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return byteCount }
      return unsafe Int(LLVMFuzzerMutate(base, byteCount, room))
    }
    removeLast(room - mutatedByteCount)
  }
}

/// How many inputs get past the checks: few would mean that only refusals are tried.
private struct Statistics {
  static let total = Atomic<Int>(0)
  static let accepted = Atomic<Int>(0)
}

/// Counts an execution; the counts are printed when the process ends.
package func countExecution(isAccepted: Bool) {
  if Statistics.total.add(1, ordering: .relaxed).oldValue == 0 {
    atexit {
      print("accepted: \(Statistics.accepted.load(ordering: .relaxed))")
    }
  }
  if isAccepted { Statistics.accepted.add(1, ordering: .relaxed) }
}
