// swift-tools-version: 6.3
import PackageDescription

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

let package = Package(
  name: "thin-merge",
  products: [
    .executable(name: "thin-merge", targets: ["thin-merge"]),
    .library(name: "MergeEngine", targets: ["MergeEngine"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .systemLibrary(name: "CAIO", providers: [.apt(["libaio-dev"])]),
    .systemLibrary(name: "CISAL", providers: [.apt(["libisal-dev"])]),
    .target(name: "CDeviceMapper", linkerSettings: [.linkedLibrary("devmapper")]),
    .target(name: "CArguments"),
    .target(
      name: "MergeEngine",
      dependencies: [
        "CAIO", "CISAL", "CDeviceMapper",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "thin-merge",
      dependencies: [
        "MergeEngine", "CArguments",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    .target(
      name: "Fixtures",
      path: "Tests/Fixtures",
      resources: [.copy("Scenarios"), .copy("Journals")],
      swiftSettings: settings),
    .testTarget(
      name: "MergeTests",
      dependencies: ["MergeEngine", "thin-merge", "Fixtures"],
      swiftSettings: settings),
  ]
)
