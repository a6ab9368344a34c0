/// Elements in memory that is allocated once: appending one looks neither for room nor for other owners.
///
/// Pages of it are there as elements are first appended.
@safe package struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
  package let capacity: Int
  package private(set) var count = 0
  // SAFETY: allocated in init, and the first `count` are initialised; nobody else has the pointer, and what
  // the elements are needs no deinitialising.
  private let elements: UnsafeMutablePointer<Element>

  package init(capacity: Int) {
    precondition(capacity >= 0)
    unsafe elements = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  deinit { unsafe elements.deallocate() }

  package mutating func removeAll() { count = 0 }

  /// Precondition: `count` is below the capacity.
  @inline(__always)
  package mutating func append(_ element: Element) {
    precondition(count < capacity)
    unsafe (elements + count).initialize(to: element)
    count &+= 1
  }

  package var span: Span<Element> {
    @_lifetime(borrow self)
    borrowing get {
      // SAFETY: initialised by append, and there as long as `self`; appending needs `self` exclusively.
      let span = unsafe Span(_unsafeStart: elements, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
