// swift-tools-version: 6.1
import PackageDescription

// Swift 6 language mode (complete concurrency checking) comes with the tools version.
// Cross-module optimisation lets the hot generic code of StreamEngine be specialised in Operators and Connectors.
let release: [SwiftSetting] = [
    .unsafeFlags(["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

let package = Package(
    name: "StreamEngine",
    products: [
        .executable(name: "stream-job", targets: ["stream-job"]),
        .library(name: "StreamEngine", targets: ["StreamEngine", "Operators", "Connectors"]),
    ],
    targets: [
        .systemLibrary(name: "CRdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CLz4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("stdc++")]),

        .target(
            name: "Platform", dependencies: ["CZstd", "CLz4", "CZlib", "CSnappy", "CLinux"], swiftSettings: release),
        .target(name: "StreamEngine", dependencies: ["Platform", "CRE2"], swiftSettings: release),
        .target(name: "Operators", dependencies: ["StreamEngine"], swiftSettings: release),
        .target(
            name: "Connectors", dependencies: ["StreamEngine", "Platform", "CRdkafka"], swiftSettings: release),
        .target(name: "JobFile", dependencies: ["StreamEngine", "Platform", "CYaml"], swiftSettings: release),
        .target(name: "EmbeddedBroker", dependencies: ["Platform", "CLinux"], swiftSettings: release),
        .target(name: "Backtest", dependencies: ["StreamEngine", "Platform"], swiftSettings: release),
        .target(name: "Generator", dependencies: ["StreamEngine", "Platform"], swiftSettings: release),
        .executableTarget(
            name: "stream-job",
            dependencies: [
                "CLinux",
                "Platform", "StreamEngine", "Operators", "Connectors", "JobFile", "EmbeddedBroker", "Generator",
                "Backtest",
            ],
            swiftSettings: release),

        // Not shipped: librdkafka's mock cluster as a program, for tests and for trying things by hand.
        .executableTarget(name: "mock-kafka", dependencies: ["CRdkafka"], path: "Tests/Tools/mock-kafka"),

        // Not shipped: random tables as Parquet files, which other people's readers then read.
        .executableTarget(
            name: "parquet-tables", dependencies: ["Connectors", "StreamEngine", "Platform", "TestSupport"],
            path: "Tests/Tools/parquet-tables"),

        // The Swift API as a program of its own.
        .executableTarget(
            name: "example-node-cpu", dependencies: ["StreamEngine", "Operators", "Connectors"],
            path: "Examples/NodeCPU"),

        .executableTarget(
            name: "benchmarks",
            dependencies: [
                "CRdkafka", "CAllocations", "Connectors", "EmbeddedBroker", "JobFile", "Operators", "StreamEngine",
                "Platform",
            ],
            path: "Benchmarks", exclude: ["README.md", "allocations", "items", "peers", "reference"],
            swiftSettings: release),

        // Counts what the benchmark program allocates.
        .target(name: "CAllocations", path: "Benchmarks/allocations"),

        // What several test targets use.
        .target(name: "TestSupport", dependencies: ["Platform"], path: "Tests/Support"),
        .testTarget(name: "PlatformTests", dependencies: ["Platform", "TestSupport"]),
        .testTarget(
            name: "StreamEngineTests", dependencies: ["StreamEngine", "Operators", "Platform", "TestSupport"]),
        .testTarget(
            name: "OperatorsTests", dependencies: ["Operators", "StreamEngine", "Platform", "TestSupport"],
            exclude: ["SeriesFunctions/Fixtures"]),
        .testTarget(
            name: "ConnectorsTests",
            dependencies: [
                "EmbeddedBroker", "Connectors", "StreamEngine", "Operators", "Platform", "CRdkafka", "TestSupport",
            ],
            exclude: ["Formats/Fixtures", "Files/Parquet/Fixtures"]),
        .testTarget(
            name: "JobFileTests",
            dependencies: ["JobFile", "StreamEngine", "Operators", "Connectors", "Platform", "TestSupport"],
            exclude: ["Fixtures"]),
        .testTarget(name: "BacktestTests", dependencies: ["Backtest", "StreamEngine", "Platform"]),
        .testTarget(
            name: "GeneratorTests", dependencies: ["Generator", "Connectors", "StreamEngine", "Platform"]),
        .testTarget(name: "EmbeddedBrokerTests", dependencies: ["EmbeddedBroker", "Platform", "TestSupport"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "stream-job", "EmbeddedBroker", "JobFile", "Connectors", "Operators", "StreamEngine", "Platform",
                "CRdkafka", "TestSupport",
            ],
            exclude: ["Fixtures"]),
    ],
    cxxLanguageStandard: .cxx17
)
