import Foundation

/// The whole content of a file or block device.
func content(of path: String) throws -> Data {
  guard let handle = FileHandle(forReadingAtPath: path) else {
    throw SupportError.system("open \(path)")
  }
  defer { closeQuietly(handle) }
  return try handle.readToEnd() ?? Data()
}

/// Writes `bytes` at `byteOffset` into the same file, which keeps its inode and byte count.
func overwrite(_ path: String, at byteOffset: Int = 0, with bytes: Data) throws {
  guard let handle = FileHandle(forWritingAtPath: path) else {
    throw SupportError.system("open \(path)")
  }
  defer { closeQuietly(handle) }
  try handle.seek(toOffset: UInt64(byteOffset))
  try handle.write(contentsOf: bytes)
}

/// The number of bytes in the file.
func byteCount(ofFile path: String) throws -> Int {
  let attributes = try FileManager.default.attributesOfItem(atPath: path)
  guard let byteCount = attributes[.size] as? NSNumber else {
    throw SupportError("no byte count for \(path)")
  }
  return byteCount.intValue
}

/// Byte offsets of the first few 512-byte sectors that differ; a missing tail differs too.
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
  // A file that was only read, or written without a buffer, has nothing to lose at close.
  try? handle.close()
}
