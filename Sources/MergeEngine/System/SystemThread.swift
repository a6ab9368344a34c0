internal import Glibc
package import SystemPackage

/// A thread with all signals blocked, so that the process's signals go to the thread that waits for
/// I/O.
///
/// It must be joined or detached.
package struct SystemThread: ~Copyable {
  private let thread: pthread_t

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// - `stackByteCount`: the stack size; small, since a process that locks its memory locks that
  ///   too.
  /// - Throws: `Errno` if no thread can be created; then `body` does not run.
  package init(stackByteCount: Int, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    var thread = pthread_t()
    var all = sigset_t()
    var before = sigset_t()
    // SAFETY: every object is the caller's own for the length of the calls. The body is retained
    // until the thread takes it over, or released here if there is no thread. The attributes are
    // allocated, since the initializer of the structure depends on which C module the compiler
    // imports first.
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    unsafe pthread_attr_init(attributes)
    defer {
      unsafe pthread_attr_destroy(attributes)
      unsafe attributes.deallocate()
    }
    let unusable = unsafe pthread_attr_setstacksize(
      attributes, max(stackByteCount, sysconf(CInt(_SC_THREAD_STACK_MIN))))
    guard unusable == 0 else { throw Errno(rawValue: unusable) }
    let retained = unsafe Unmanaged.passRetained(Body(body))
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
    let status = unsafe pthread_create(
      &thread, attributes,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, retained.toOpaque())
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    guard status == 0 else {
      unsafe retained.release()
      throw Errno(rawValue: status)
    }
    self.thread = thread
  }

  /// Waits until the body has returned.
  package consuming func join() { pthread_join(thread, nil) }

  /// Lets the thread run to its end without a join.
  package consuming func detach() { pthread_detach(thread) }
}

/// A counting semaphore.
///
/// Writes made before `signal()` are visible after the `wait()` that it releases.
@safe package struct Semaphore: ~Copyable, @unchecked Sendable {
  // SAFETY: allocated and initialized in init, at one address until deinit; no other object has the
  // pointer. Any thread may make its calls.
  private let semaphore: UnsafeMutablePointer<sem_t>

  package init(_ count: UInt32) {
    unsafe semaphore = .allocate(capacity: 1)
    unsafe sem_init(semaphore, 0, count)
  }

  /// - Precondition: No thread waits.
  deinit {
    unsafe sem_destroy(semaphore)
    unsafe semaphore.deallocate()
  }

  package borrowing func signal() { unsafe sem_post(semaphore) }

  package borrowing func wait() {
    while unsafe sem_wait(semaphore) != 0 {}
  }
}
