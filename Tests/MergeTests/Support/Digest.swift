/// Returns the hexadecimal SHA-256 of the whole content of a file or block device.
func sha256(ofFile path: String) throws -> String {
  let line = try Program.mustRun("sha256sum", "--", path)
  guard let digest = line.split(separator: " ").first, digest.count == 64 else {
    throw SupportError("sha256sum said: \(line)")
  }
  return String(digest)
}
