/// An array of fixed capacity, allocated once, so that appending neither reallocates nor checks for
/// unique ownership.
///
/// Each page of the array takes up physical memory only once an element is stored in that page.
@safe package struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
  package let capacity: Int
  package private(set) var count = 0
  // SAFETY: allocated in init, and the first `count` elements are initialized; nothing else has the
  // pointer, and `BitwiseCopyable` elements need no deinitialization.
  private let elements: UnsafeMutablePointer<Element>

  package init(capacity: Int) {
    precondition(capacity >= 0)
    unsafe elements = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  deinit { unsafe elements.deallocate() }

  package mutating func removeAll() { count = 0 }

  /// Adds an element to the end of the array.
  ///
  /// - Precondition: `count` is less than the capacity.
  @inline(__always)
  package mutating func append(_ element: Element) {
    precondition(count < capacity)
    unsafe (elements + count).initialize(to: element)
    count &+= 1
  }

  package var span: Span<Element> {
    @_lifetime(borrow self)
    borrowing get {
      // SAFETY: the elements were initialized by `append` and are valid as long as `self`;
      // appending requires exclusive access to `self`.
      let span = unsafe Span(_unsafeStart: elements, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
