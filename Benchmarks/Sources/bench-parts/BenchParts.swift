@main struct BenchParts { static func main() {} }
