/// ``BlockIO`` whose requests complete at once, so that what is measured is who makes them.
///
/// Reads of metadata bring an image that is in memory; of all other requests nothing but their success
/// is there.
package struct InstantQueue: BlockIO, ~Copyable {
  package let requestCountMax: Int
  package private(set) var requestCount = 0
  package var slabByteCount: Int { slab.byteCount }
  package var submitDuration: Duration { .zero }

  private let metadata: [UInt8]
  private var slab: BufferSlab
  /// A ring, the oldest first.
  private var completions: [IOCompletion]
  private var first = 0

  /// - `touchesSlab`: whether every page of the slab is to be there before anything is measured.
  package init(
    requestCount: Int, slabByteCount: Int, touchesSlab: Bool, metadata: [UInt8] = []
  ) throws(MergeError) {
    var slab = try BufferSlab(byteCount: slabByteCount)
    let page = [UInt8](repeating: 0, count: 4096)
    for byteOffset in stride(from: 0, to: touchesSlab ? slab.byteCount : 0, by: page.count) {
      slab.store(RawSpan(_elements: page.span), at: byteOffset)
    }
    self.slab = slab
    self.metadata = metadata
    requestCountMax = requestCount
    completions = Array(repeating: IOCompletion(tag: 0, result: 0), count: requestCount)
  }

  package mutating func enqueue(_ request: IORequest) {
    precondition(requestCount < requestCountMax)
    let place = first + requestCount
    completions[place < requestCountMax ? place : place - requestCountMax] = IOCompletion(
      tag: request.tag, result: perform(request))
    requestCount += 1
  }

  package mutating func submit() {}

  package mutating func reap(
    atLeast minimum: Int, timeout: Duration?, into batch: inout CompletionBatch
  ) {
    batch.removeAll()
    while requestCount > 0, batch.count < CompletionBatch.capacity {
      batch.append(completions[first])
      first = first + 1 < requestCountMax ? first + 1 : 0
      requestCount -= 1
    }
  }

  package mutating func perform(_ request: IORequest) -> Int64 {
    if request.file == .metadata {
      let start = Int(request.byteOffset)
      let metadata = metadata
      slab.store(
        RawSpan(_elements: metadata.span).extracting(start..<start + request.byteCount),
        at: request.slabByteOffset)
    }
    return Int64(request.byteCount)
  }

  @_lifetime(borrow self)
  package borrowing func bytes(at slabByteOffset: Int, count byteCount: Int) -> RawSpan {
    slab.bytes(at: slabByteOffset, count: byteCount)
  }

  package mutating func store(_ bytes: RawSpan, at slabByteOffset: Int) {
    slab.store(bytes, at: slabByteOffset)
  }
}
