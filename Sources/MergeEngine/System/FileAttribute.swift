internal import CAIO
internal import Glibc
package import SystemPackage

/// Reading and writing the extended attributes of open regular files.
extension OpenFile {
  /// Returns the extended attributes whose names begin with a prefix; an empty array if the file
  /// system does not support extended attributes.
  package func attributes(prefix: String) throws(Errno) -> [(name: String, value: [UInt8])] {
    var found: [(name: String, value: [UInt8])] = []
    for name in try attributeNames() where name.hasPrefix(prefix) {
      // Another process may have removed the attribute in the meantime.
      if let value = try attribute(name) { found.append((name, value)) }
    }
    return found
  }

  private func attributeNames() throws(Errno) -> [String] {
    // The kernel's limit (XATTR_LIST_MAX).
    var buffer = [CChar](repeating: 0, count: 65_536)
    // SAFETY: the call writes no more bytes than the buffer holds.
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
    // SAFETY: the call writes no more bytes than the buffer holds.
    let count = unsafe caio_attribute(descriptor, name.systemPath, &buffer, buffer.count)
    guard count >= 0 else {
      if Errno.current == .noData { return nil }
      throw .current
    }
    return Array(buffer[..<count])
  }

  /// Sets an extended attribute and makes the change durable.
  package func setAttribute(_ name: String, to value: [UInt8]) throws(Errno) {
    // SAFETY: the call reads exactly the bytes of the value.
    guard unsafe caio_set_attribute(descriptor, name.systemPath, value, value.count) == 0 else {
      throw .current
    }
    try synchronize()
  }

  /// Removes an extended attribute and makes the change durable; does nothing if the file does not
  /// have it.
  package func removeAttribute(_ name: String) throws(Errno) {
    guard unsafe caio_remove_attribute(descriptor, name.systemPath) == 0 else {
      if Errno.current == .noData { return }
      throw .current
    }
    try synchronize()
  }
}

extension Errno {
  /// True if the error means that the file system does not support the requested feature.
  package var isMissingSupport: Bool { self == .notSupported || self == .noFunction }
}
