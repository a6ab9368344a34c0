// swift-tools-version: 6.3
import PackageDescription

// A package of its own, so that nothing of it reaches a user of the engine. The engine is compiled
// here once more, by way of symbolic links: with the harness in the same module, where its generic code
// is specialised for the harness's queues and steps as the product's is for libaio.

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("ImmutableWeakCaptures"),
  .enableExperimentalFeature("Lifetimes"),
]

/// A command of the suite.
func tool(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: [
      "MergeEngine",
      .product(name: "ArgumentParser", package: "swift-argument-parser"),
      .product(name: "SystemPackage", package: "swift-system"),
    ],
    swiftSettings: settings)
}

let package = Package(
  name: "thin-merge-benchmarks",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    // Without its traits, which count allocations and take over the heap for that.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .systemLibrary(name: "CAIO", providers: [.apt(["libaio-dev"])]),
    .systemLibrary(name: "CISAL", providers: [.apt(["libisal-dev"])]),
    .target(name: "CDeviceMapper", linkerSettings: [.linkedLibrary("devmapper")]),
    .target(
      name: "MergeEngine",
      dependencies: [
        "CAIO", "CISAL", "CDeviceMapper",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
    tool("bench-inputs"),
    tool("bench-rounds"),
    // The plugin that runs it looks for a folder in one called Benchmarks, as this package's is.
    .executableTarget(
      name: "micro",
      dependencies: ["MergeEngine", .product(name: "Benchmark", package: "benchmark")],
      path: "micro",
      swiftSettings: settings,
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
  ]
)
