// swift-tools-version: 6.3
import PackageDescription

// This is a separate package, so that none of it reaches users of the engine. It compiles the
// engine a second time, through symbolic links, with instrumentation. The harness is in the same
// module as the engine, so the engine's generic code is specialized for the harness's queue.

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

/// Returns an executable target without a main function, because libFuzzer provides one.
func fuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name, dependencies: ["MergeEngine"],
    swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
}

let package = Package(
  name: "thin-merge-fuzz",
  dependencies: [
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0")
  ],
  targets: [
    .systemLibrary(name: "CAIO", providers: [.apt(["libaio-dev"])]),
    .systemLibrary(name: "CISAL", providers: [.apt(["libisal-dev"])]),
    .target(name: "CDeviceMapper", linkerSettings: [.linkedLibrary("devmapper")]),
    .systemLibrary(name: "CLibFuzzer"),
    .target(
      name: "Fixtures", resources: [.copy("Scenarios")], swiftSettings: settings),
    .target(
      name: "MergeEngine",
      dependencies: [
        "CAIO", "CISAL", "CDeviceMapper", "CLibFuzzer", "Fixtures",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
    fuzzTarget("fuzz-metadata"),
    fuzzTarget("fuzz-journal"),
  ]
)
