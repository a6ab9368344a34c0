internal import CAIO
internal import Glibc
package import SystemPackage

/// Extended attributes of open regular files.
extension OpenFile {
  /// Attributes of names that begin with a prefix; none where the file system has no attributes.
  package func attributes(prefix: String) throws(Errno) -> [(name: String, value: [UInt8])] {
    var found: [(name: String, value: [UInt8])] = []
    for name in try attributeNames() where name.hasPrefix(prefix) {
      // One that another process removed meanwhile is none.
      if let value = try attribute(name) { found.append((name, value)) }
    }
    return found
  }

  private func attributeNames() throws(Errno) -> [String] {
    // The kernel's limit (XATTR_LIST_MAX).
    var buffer = [CChar](repeating: 0, count: 65_536)
    // SAFETY: the call writes at most as many bytes as the buffer has.
    let count = unsafe caio_attribute_names(descriptor, &buffer, buffer.count)
    guard count >= 0 else {
      if Errno.current.isMissingSupport { return [] }
      throw .current
    }
    return buffer[..<count].split(separator: 0).map { name in
      PathText.text(name.map { UInt8(bitPattern: $0) })
    }
  }

  private func attribute(_ name: String) throws(Errno) -> [UInt8]? {
    // The kernel's limit (XATTR_SIZE_MAX).
    var buffer = [UInt8](repeating: 0, count: 65_536)
    // SAFETY: the call writes at most as many bytes as the buffer has.
    let count = unsafe caio_attribute(descriptor, name.systemPath, &buffer, buffer.count)
    guard count >= 0 else {
      if Errno.current == .noData { return nil }
      throw .current
    }
    return Array(buffer[..<count])
  }

  /// Sets an attribute, durably.
  package func setAttribute(_ name: String, to value: [UInt8]) throws(Errno) {
    // SAFETY: the call reads as many bytes as the value has.
    guard unsafe caio_set_attribute(descriptor, name.systemPath, value, value.count) == 0 else {
      throw .current
    }
    try synchronize()
  }

  /// Removes an attribute, durably; does nothing where there is none.
  package func removeAttribute(_ name: String) throws(Errno) {
    guard unsafe caio_remove_attribute(descriptor, name.systemPath) == 0 else {
      if Errno.current == .noData { return }
      throw .current
    }
    try synchronize()
  }
}

extension Errno {
  /// Whether a file system answers so which does not have what it is asked for.
  package var isMissingSupport: Bool { self == .notSupported || self == .noFunction }
}
