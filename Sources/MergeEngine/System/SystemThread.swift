internal import Glibc
package import SystemPackage

/// A thread that blocks all signals, so that signals sent to the process are delivered to another
/// thread, the one that waits for I/O.
///
/// Every thread must be joined or detached.
package struct SystemThread: ~Copyable {
  private let thread: pthread_t

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread that runs `body`.
  ///
  /// - `stackByteCount`: the stack size; keep it small, since a process that locks its memory also
  ///   locks the stack.
  /// - Throws: `Errno` if the thread cannot be created; `body` does not run in that case.
  package init(stackByteCount: Int, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    var thread = pthread_t()
    var all = sigset_t()
    var before = sigset_t()
    // SAFETY: nothing else accesses these objects during the calls. The body stays retained until
    // the thread takes it over, or is released here if no thread was created. The attributes are
    // allocated rather than initialized because the structure's initializer depends on which C
    // module the compiler imports first.
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

  /// Waits until the thread's body has returned.
  package consuming func join() { pthread_join(thread, nil) }

  /// Lets the thread run to completion without being joined.
  package consuming func detach() { pthread_detach(thread) }
}

/// A counting semaphore.
///
/// Memory writes made before a call to `signal()` are visible after the `wait()` that the call
/// releases.
@safe package struct Semaphore: ~Copyable, @unchecked Sendable {
  // SAFETY: the semaphore is allocated and initialized in init and stays at the same address until
  // deinit; no other object has the pointer. Semaphore calls may be made on any thread.
  private let semaphore: UnsafeMutablePointer<sem_t>

  package init(_ count: UInt32) {
    unsafe semaphore = .allocate(capacity: 1)
    unsafe sem_init(semaphore, 0, count)
  }

  /// - Precondition: No thread is waiting for the semaphore.
  deinit {
    unsafe sem_destroy(semaphore)
    unsafe semaphore.deallocate()
  }

  package borrowing func signal() { unsafe sem_post(semaphore) }

  package borrowing func wait() {
    while unsafe sem_wait(semaphore) != 0 {}
  }
}
