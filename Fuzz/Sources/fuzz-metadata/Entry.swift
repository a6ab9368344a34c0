internal import MergeEngine

/// The memory shared by all executions, which libFuzzer runs one after another on one thread.
nonisolated(unsafe) private let memory = FuzzMemory()

/// Writes the seed corpus instead of fuzzing, if an environment variable names a folder for it.
@c(LLVMFuzzerInitialize)
public func initialize(
  _ argumentCount: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  Seeds.writeIfAsked { try Seeds.metadata(unsafe memory) }
  return 0
}

/// Runs one input from libFuzzer.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ byteCount: Int) -> CInt {
  // SAFETY: libFuzzer passes exactly these bytes, and they are copied before the call returns.
  let bytes = unsafe [UInt8](UnsafeBufferPointer(start: data, count: byteCount))
  let isAccepted = unsafe MetadataCase(memory).run(bytes)
  countExecution(isAccepted: isAccepted)
  return 0
}

/// Mutates an input in place and returns its new size.
@c(LLVMFuzzerCustomMutator)
public func mutate(
  _ data: UnsafeMutablePointer<UInt8>, _ byteCount: Int, _ byteCountMax: Int, _ seed: CUnsignedInt
) -> Int {
  // SAFETY: `data` has room for `byteCountMax` bytes, and the first `byteCount` of them are
  // initialized.
  let buffer = unsafe UnsafeMutableBufferPointer(start: data, count: byteCountMax)
  var mutator = MetadataMutator(seed: seed)
  let mutated = mutator.mutate(unsafe [UInt8](buffer.prefix(byteCount)), byteCountMax: byteCountMax)
  _ = unsafe buffer.update(from: mutated)
  return mutated.count
}
