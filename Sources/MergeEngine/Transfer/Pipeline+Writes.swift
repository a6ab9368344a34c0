internal import SystemPackage

/// Writing: from a verdict to the target.
extension Pipeline where Work: ~Copyable {
  mutating func enqueueWrites<IO: BlockIO & ~Copyable>(_ io: inout IO, now: Duration) {
    while let slot = writeQueue.first, readsInFlight + writesInFlight < shape.depth {
      if isStopping, slots[slot].writtenByteCount == 0 {
        writeQueue.removeFirst()
        abandon(slot)
        continue
      }
      guard mayTouchTail(slot) else { return }
      guard limiter.delay(now: now) == nil else { return }
      writeQueue.removeFirst()
      limiter.pass(slots[slot].range.byteCount, now: now)
      enqueueWrite(slot, &io)
    }
  }

  func isInTail(_ slot: Int) -> Bool { slots[slot].range.start >= shape.tailByteOffset }

  /// The tail goes through the page cache: nothing direct may be under way on the target then.
  ///
  /// It is the last of the plan, so it waits until nothing else is left. It may be several transfers,
  /// after bad spots in it: these go one by one, and none waits for another to be gone.
  func mayTouchTail(_ slot: Int) -> Bool {
    guard isInTail(slot) else { return true }
    return readsInFlight + writesInFlight == 0
      && slots.indices.allSatisfy { slots[$0].state == .free || isInTail($0) }
  }

  /// Whether the tail is being written, so that nothing may be read from the target.
  var isTailUnderWay: Bool {
    isWritingTail || salvage.map { isInTail($0.slot) } ?? false
  }

  mutating func enqueueWrite<IO: BlockIO & ~Copyable>(_ slot: Int, _ io: inout IO) {
    let done = slots[slot].writtenByteCount
    isWritingTail = isInTail(slot)
    io.enqueue(
      IORequest(
        .write, isWritingTail ? .targetBuffered : .target,
        byteOffset: slots[slot].range.start + UInt64(done),
        slabByteOffset: shape.sourceBuffer(slot) + done,
        byteCount: slots[slot].byteCount - done, tag: RequestTag.targetWrite.tag(slot: slot)))
    writesInFlight += 1
  }

  mutating func written<IO: BlockIO & ~Copyable, Record: TransferLedger & ~Copyable>(
    _ slot: Int, _ result: Int64, _ io: inout IO, _ record: inout Record
  ) {
    isWritingTail = false
    let done = slots[slot].writtenByteCount + Int(max(0, result))
    if result > 0, done >= slots[slot].byteCount {
      writtenByteCount += slots[slot].range.byteCount
      return end(slot, .merged(checksum: slots[slot].checksum), &record)
    }
    let aligned = done / shape.targetAlignmentByteCount * shape.targetAlignmentByteCount
    guard result > 0, aligned > slots[slot].writtenByteCount else {
      fail(slots[slot].range.start + UInt64(slots[slot].writtenByteCount), result)
      return abandon(slot)
    }
    slots[slot].writtenByteCount = aligned
    enqueueWrite(slot, &io)
  }

  /// The target could not be written: nothing new is begun, what is under way is completed.
  mutating func fail(_ byteOffset: UInt64, _ result: Int64) {
    isStopping = true
    guard failure == nil else { return }
    let errno = result < 0 ? Errno(rawValue: CInt(clamping: -result)) : .noSpace
    failure = MergeError(
      .stopped, "cannot write to the origin", at: "\(targetPath), byte \(byteOffset)",
      because: "\(errno)")
  }
}
