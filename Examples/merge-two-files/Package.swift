// swift-tools-version: 6.3
import PackageDescription

// This package is a program that uses the merge engine. Outside this repository, depend on the
// repository's URL instead of a path.

let package = Package(
  name: "merge-two-files",
  dependencies: [.package(name: "thin-merge", path: "../..")],
  targets: [
    .executableTarget(
      name: "merge-two-files",
      dependencies: [.product(name: "MergeEngine", package: "thin-merge")])
  ]
)
