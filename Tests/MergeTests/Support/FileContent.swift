import Foundation

/// Returns the whole content of a file or block device.
func content(of path: String) throws -> Data {
  guard let handle = FileHandle(forReadingAtPath: path) else {
    throw SupportError.system("open \(path)")
  }
  defer { closeQuietly(handle) }
  return try handle.readToEnd() ?? Data()
}

/// Writes `bytes` at `byteOffset` into the existing file, without replacing or truncating it.
func overwrite(_ path: String, at byteOffset: Int = 0, with bytes: Data) throws {
  guard let handle = FileHandle(forWritingAtPath: path) else {
    throw SupportError.system("open \(path)")
  }
  defer { closeQuietly(handle) }
  try handle.seek(toOffset: UInt64(byteOffset))
  try handle.write(contentsOf: bytes)
}

/// Returns the size of a file in bytes.
func byteCount(ofFile path: String) throws -> Int {
  let attributes = try FileManager.default.attributesOfItem(atPath: path)
  guard let byteCount = attributes[.size] as? NSNumber else {
    throw SupportError("no byte count for \(path)")
  }
  return byteCount.intValue
}

/// Returns the byte offsets of the first 512-byte sectors that differ or exist on only one side.
func differingSectors(_ left: Data, _ right: Data, limit: Int = 8) -> [Int] {
  if left == right { return [] }
  var offsets: [Int] = []
  let sectorByteCount = 512
  for offset in stride(from: 0, to: max(left.count, right.count), by: sectorByteCount)
  where sector(left, offset) != sector(right, offset) {
    offsets.append(offset)
    if offsets.count == limit { break }
  }
  return offsets

  func sector(_ data: Data, _ offset: Int) -> Data {
    data.dropFirst(offset).prefix(sectorByteCount)
  }
}

private func closeQuietly(_ handle: FileHandle) {
  // Ignoring a close error is safe: the file was only read, or was written without buffering.
  try? handle.close()
}
