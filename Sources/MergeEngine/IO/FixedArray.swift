/// Elements in memory that is taken once: storing one looks neither for room nor for other owners.
@safe package struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
  package let count: Int
  // SAFETY: allocated and initialised in init, all of it; nobody else has the pointer, and what the elements
  // are needs no deinitialising.
  private let elements: UnsafeMutablePointer<Element>

  package init(repeating element: Element, count: Int) {
    precondition(count >= 0)
    unsafe elements = .allocate(capacity: count)
    unsafe elements.initialize(repeating: element, count: count)
    self.count = count
  }

  deinit { unsafe elements.deallocate() }

  /// Precondition: `index` is not negative and below `count`.
  @inline(__always)
  package subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count)
      return unsafe elements[index]
    }
    set {
      precondition(index >= 0 && index < count)
      unsafe elements[index] = newValue
    }
  }

  /// Precondition: there are that many.
  @_lifetime(borrow self)
  package borrowing func first(_ wanted: Int) -> Span<Element> {
    precondition(wanted >= 0 && wanted <= count)
    // SAFETY: initialised in init, and there as long as `self`; writing needs `self` exclusively.
    let span = unsafe Span(_unsafeStart: elements, count: wanted)
    return unsafe _overrideLifetime(span, borrowing: self)
  }
}
