/// One execution.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ byteCount: Int) -> CInt { 0 }
