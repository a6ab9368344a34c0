// swift-tools-version: 6.3
import PackageDescription

// A program that merges with the engine. Elsewhere, the dependency is the repository's URL instead of a path.

let package = Package(
  name: "merge-two-files",
  dependencies: [.package(name: "thin-merge", path: "../..")],
  targets: [
    .executableTarget(
      name: "merge-two-files",
      dependencies: [.product(name: "MergeEngine", package: "thin-merge")])
  ]
)
