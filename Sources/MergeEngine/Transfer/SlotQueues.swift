/// A first-in first-out queue of slots, as long as there are slots.
struct SlotQueue {
  private var ring: [Int]
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) { ring = Array(repeating: 0, count: max(1, capacity)) }

  var isEmpty: Bool { count == 0 }
  var first: Int? { count == 0 ? nil : ring[head] }

  mutating func append(_ slot: Int) {
    precondition(count < ring.count)
    ring[(head + count) % ring.count] = slot
    count += 1
  }

  mutating func removeFirst() {
    precondition(count > 0)
    head = (head + 1) % ring.count
    count -= 1
  }
}

/// Slots of which the one with the lowest ticket comes first, as many as there are slots: a binary heap.
struct SlotHeap {
  private struct Entry {
    var ticket: UInt64
    var slot: Int
  }

  private var entries: [Entry] = []

  init(capacity: Int) { entries.reserveCapacity(capacity) }

  var isEmpty: Bool { entries.isEmpty }
  var first: Int? { entries.first?.slot }

  mutating func insert(_ slot: Int, ticket: UInt64) {
    var place = entries.count
    entries.append(Entry(ticket: ticket, slot: slot))
    while place > 0, entries[place].ticket < entries[(place - 1) / 2].ticket {
      entries.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  /// Precondition: it is not empty.
  mutating func removeFirst() {
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2]
      where child < entries.count && entries[child].ticket < entries[least].ticket {
        least = child
      }
      guard least != place else { return }
      entries.swapAt(place, least)
      place = least
    }
  }
}
