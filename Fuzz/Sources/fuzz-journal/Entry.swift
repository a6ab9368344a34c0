internal import MergeEngine

/// The memory of all executions: libFuzzer runs them one after the other on one thread.
nonisolated(unsafe) private let memory = FuzzMemory()

/// Writes the corpus instead of fuzzing, if the environment names a folder for it.
@c(LLVMFuzzerInitialize)
public func initialize(
  _ argumentCount: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  Seeds.writeIfAsked { try Seeds.journals(unsafe memory) }
  return 0
}

/// One execution.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ byteCount: Int) -> CInt {
  // SAFETY: libFuzzer gives exactly these bytes, and they are copied before the call returns.
  let bytes = unsafe [UInt8](UnsafeBufferPointer(start: data, count: byteCount))
  let isAccepted = unsafe JournalCase(memory).run(bytes)
  countExecution(isAccepted: isAccepted)
  return 0
}

/// Makes another input of one.
@c(LLVMFuzzerCustomMutator)
public func mutate(
  _ data: UnsafeMutablePointer<UInt8>, _ byteCount: Int, _ byteCountMax: Int, _ seed: CUnsignedInt
) -> Int {
  // SAFETY: `data` has room for `byteCountMax` bytes, of which `byteCount` are there.
  let buffer = unsafe UnsafeMutableBufferPointer(start: data, count: byteCountMax)
  var mutator = JournalMutator(seed: seed)
  let mutated = mutator.mutate(unsafe [UInt8](buffer.prefix(byteCount)), byteCountMax: byteCountMax)
  _ = unsafe buffer.update(from: mutated)
  return mutated.count
}
