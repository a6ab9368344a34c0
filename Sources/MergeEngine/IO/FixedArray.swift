/// An array of fixed capacity, allocated once: appending neither reallocates nor checks uniqueness.
///
/// A page of it uses physical memory only once an element in it is appended.
@safe package struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
  package let capacity: Int
  package private(set) var count = 0
  // SAFETY: allocated in init, and the first `count` elements are initialized; nobody else has the
  // pointer, and `BitwiseCopyable` elements need no deinitialization.
  private let elements: UnsafeMutablePointer<Element>

  package init(capacity: Int) {
    precondition(capacity >= 0)
    unsafe elements = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  deinit { unsafe elements.deallocate() }

  package mutating func removeAll() { count = 0 }

  /// - Precondition: `count` is below the capacity.
  @inline(__always)
  package mutating func append(_ element: Element) {
    precondition(count < capacity)
    unsafe (elements + count).initialize(to: element)
    count &+= 1
  }

  package var span: Span<Element> {
    @_lifetime(borrow self)
    borrowing get {
      // SAFETY: initialized by append, valid as long as `self`; appending needs exclusive access to
      // `self`.
      let span = unsafe Span(_unsafeStart: elements, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
