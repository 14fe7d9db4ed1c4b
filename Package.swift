// swift-tools-version: 6.2
// The module graph of Documentation/architecture.md: a target depends only on targets of a lower row.
import PackageDescription

let swift: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// For the targets whose tests look inside; release builds leave it out otherwise.
let testable: [SwiftSetting] = [.unsafeFlags(["-enable-testing"])]

/// For targets where a small file matters more than a few microseconds.
let small: [SwiftSetting] = [.unsafeFlags(["-Osize"], .when(configuration: .release))]

/// Row 0: C that Swift cannot import by itself.
let c: [Target] = [
    .target(name: "CLinux"),
    .target(name: "CSeccomp", linkerSettings: [.linkedLibrary("seccomp")]),
    .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3"), .linkedLibrary("m")]),
    .target(name: "CYAML", linkerSettings: [.linkedLibrary("yaml")]),
    .target(name: "CZlib", linkerSettings: [.linkedLibrary("z")]),
    .target(name: "CZstd", linkerSettings: [.linkedLibrary("zstd")]),
    // #embed is of C23.
    .target(name: "CZones", cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
    .target(name: "CCatalog", cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
    .target(name: "CConsole", cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
]

/// Rows 1 to 2b: values and decisions. No clock, socket, file, randomness or log.
let decisions: [Target] = [
    .target(name: "ClusterModel", swiftSettings: swift),
    .target(name: "Access", dependencies: ["ClusterModel"], swiftSettings: swift + small),
    .target(name: "Deployments", dependencies: ["ClusterModel"], swiftSettings: swift + small),
    .target(name: "GuestChannel", swiftSettings: swift + small),
    .target(name: "Membership", swiftSettings: swift + small),
    .target(name: "Packages", swiftSettings: swift + testable + small),
    .target(name: "Schedules", dependencies: ["ClusterModel"], swiftSettings: swift + small),
    .target(name: "Scheduling", dependencies: ["ClusterModel"], swiftSettings: swift),
    .target(name: "TaskLifecycle", dependencies: ["ClusterModel"], swiftSettings: swift + small),
    .target(name: "MasterCore", dependencies: ["ClusterModel", "Scheduling"], swiftSettings: swift),
    .target(name: "AgentCore", dependencies: ["ClusterModel", "TaskLifecycle"], swiftSettings: swift + small),
    .target(
        name: "ServicesCore", dependencies: ["ClusterModel", "Deployments"], swiftSettings: swift + testable + small),
    .target(name: "JobsCore", dependencies: ["ClusterModel", "Schedules"], swiftSettings: swift + small),
]

/// Rows 3 and 3b: mechanisms. Each does one kind of I/O.
let mechanisms: [Target] = [
    .target(name: "LinuxSystem", dependencies: ["CLinux"], swiftSettings: swift + testable + small),
    .target(name: "StateStore", dependencies: ["CSQLite"], swiftSettings: swift + testable + small),
    .target(
        name: "Transport",
        dependencies: [
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "NIOTLS", package: "swift-nio"),
        ],
        swiftSettings: swift + small),
    .target(
        name: "Identity",
        dependencies: [
            "ClusterModel", "Membership",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "CryptoExtras", package: "swift-crypto"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "X509", package: "swift-certificates"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "HTTPGateway",
        dependencies: [
            "Transport",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOHTTP2", package: "swift-nio-http2"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .target(
        name: "ImageStore",
        dependencies: [
            "CLinux", "CZlib", "CZstd", "HTTPGateway", "LinuxSystem", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "MesosWire",
        dependencies: ["ClusterModel", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
        exclude: ["Protos"],
        swiftSettings: swift + small),
    .target(
        name: "Networking", dependencies: ["CLinux", "ClusterModel", "LinuxSystem"],
        swiftSettings: swift + testable + small),
    .target(
        name: "NameService", dependencies: ["CLinux", "ClusterModel", "LinuxSystem"],
        swiftSettings: swift + testable + small),
    .target(
        name: "FrameworkRuntime",
        dependencies: ["ClusterModel", "StateStore", .product(name: "Logging", package: "swift-log")],
        swiftSettings: swift + testable + small),
    .target(name: "MicroVM", dependencies: ["GuestChannel", "Packages"], swiftSettings: swift + testable + small),
    .target(name: "TaskMonitor", dependencies: ["CLinux", "LinuxSystem"], swiftSettings: swift + testable + small),
    .target(
        name: "ContainerRuntime", dependencies: ["CLinux", "CSeccomp", "LinuxSystem"],
        swiftSettings: swift + testable + small),
]

/// Row 4: what stands on the mechanisms.
let facades: [Target] = [
    .target(
        name: "Gossip",
        dependencies: [
            "Membership", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "JobsFramework",
        dependencies: [
            "Access", "CZones", "ClusterModel", "FrameworkRuntime", "HTTPGateway", "JobsCore", "Schedules",
            "StateStore",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "ServicesFramework",
        dependencies: [
            "Access", "ClusterModel", "Deployments", "FrameworkRuntime", "HTTPGateway", "ServicesCore", "StateStore",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
]

/// Row 4b: what stands on services.
let catalog: [Target] = [
    .target(
        name: "CatalogService",
        dependencies: [
            "Access", "CZlib", "ClusterModel", "Deployments", "FrameworkRuntime", "HTTPGateway", "Identity",
            "ImageStore", "LinuxSystem", "Packages", "ServicesFramework", "StateStore", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "Console", dependencies: ["ClusterModel", "Deployments", "Packages"],
        swiftSettings: swift + testable + small),
]

/// Rows 5 to 8: roles, the whole, the door, the program.
let programs: [Target] = [
    .target(
        name: "MasterNode",
        dependencies: [
            "Access", "CConsole", "CatalogService", "ClusterModel", "Console", "Deployments", "FrameworkRuntime",
            "HTTPGateway", "Identity", "ImageStore", "JobsCore", "JobsFramework", "MasterCore", "Membership",
            "MesosWire", "NameService", "Packages", "Schedules", "Scheduling", "ServicesCore", "ServicesFramework",
            "StateStore", "TaskLifecycle", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "AgentNode",
        dependencies: [
            "AgentCore", "ClusterModel", "HTTPGateway", "LinuxSystem", "MesosWire", "NameService", "Networking",
            "TaskLifecycle", "Transport",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .target(
        name: "Appliance",
        dependencies: [
            "AgentCore", "AgentNode", "CCatalog", "CYAML", "ClusterModel", "Gossip", "HTTPGateway", "Identity",
            "ImageStore",
            "LinuxSystem", "MasterCore", "MasterNode", "Membership", "StateStore", "Transport",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + small),
    .target(
        name: "OperatorCommands",
        dependencies: [
            "Appliance", "CatalogService", "ClusterModel", "HTTPGateway", "Identity", "ImageStore", "LinuxSystem",
            "MasterNode", "MesosWire", "Packages", "Transport",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift + testable + small),
    .executableTarget(
        name: "rondo",
        dependencies: ["ContainerRuntime", "OperatorCommands", "TaskMonitor"],
        swiftSettings: swift,
        // One build serves the tests and the shipped file: modules are compiled once, only the program is linked
        // statically. The two libraries are what a static FoundationEssentials needs and autolinking leaves out.
        linkerSettings: [
            .unsafeFlags([
                "-static-executable", "-Xlinker", "-l_FoundationCShims", "-Xlinker", "-l_FoundationCollections",
                // Without it the program could not start where there is no /proc: see RuntimePath.swift.
                "-Xlinker", "--wrap=swift_copyAuxiliaryExecutablePath",
                // Functions that are the same are kept once: nothing here compares the addresses of functions.
                "-Xlinker", "--icf=all", "-Xlinker", "--gc-sections",
                // No tables for unwinding, which nothing here does; only lld can leave them out.
                "-use-ld=lld", "-Xlinker", "--no-eh-frame-hdr",
                "-Xlinker", "-T", "-Xlinker", "\(Context.packageDirectory)/Provisioning/without-unwinding.lds",
            ])
        ]),
]

/// Benchmarks are linked as the shipped file is: calls into shared libraries would make them slower than it.
let linkedAsShipped: [LinkerSetting] = [
    .unsafeFlags(["-static-executable", "-Xlinker", "-l_FoundationCShims", "-Xlinker", "-l_FoundationCollections"])
]

/// Each prints ratios against a floor or a peer measured in the same run; see Documentation/performance.md.
let benchmarks: [Target] = [
    .executableTarget(
        name: "allocation-benchmark", dependencies: ["ClusterModel", "Scheduling"], path: "Benchmarks/Allocation",
        swiftSettings: swift, linkerSettings: linkedAsShipped + [.linkedLibrary("m")]),
    .executableTarget(
        name: "store-commits", dependencies: ["CSQLite", "StateStore"], path: "Benchmarks/StoreCommits",
        swiftSettings: swift, linkerSettings: linkedAsShipped),
    .executableTarget(
        name: "gossip-peer",
        dependencies: [
            "Gossip", "Membership", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        path: "Benchmarks/Gossip", swiftSettings: swift, linkerSettings: linkedAsShipped),
    .executableTarget(
        name: "launch-benchmark",
        dependencies: [
            "CSQLite", "ClusterModel", "HTTPGateway", "Identity", "MasterNode", "Membership", "MesosWire", "StateStore",
            "Transport",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        path: "Benchmarks/Launches", swiftSettings: swift,
        linkerSettings: linkedAsShipped),
    .executableTarget(
        name: "catalog-benchmark", dependencies: ["Packages"], path: "Benchmarks/Catalog", swiftSettings: swift,
        linkerSettings: linkedAsShipped + [.linkedLibrary("swiftSynchronization"), .linkedLibrary("m")]),
]

let tests: [Target] = [
    .testTarget(name: "ClusterModelTests", dependencies: ["ClusterModel"], swiftSettings: swift),
    .testTarget(name: "AccessTests", dependencies: ["Access", "ClusterModel"], swiftSettings: swift),
    .testTarget(
        name: "IdentityTests",
        dependencies: [
            "ClusterModel", "Identity", "Membership",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "CryptoExtras", package: "swift-crypto"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "X509", package: "swift-certificates"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "GossipTests",
        dependencies: [
            "Gossip", "Membership", "Transport",
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "X509", package: "swift-certificates"),
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOEmbedded", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .target(
        name: "MembershipSimulation", dependencies: ["Membership"], path: "Tests/Support/MembershipSimulation",
        swiftSettings: swift),
    .testTarget(
        name: "MembershipTests", dependencies: ["Membership", "MembershipSimulation"], swiftSettings: swift),
    .testTarget(name: "ConsoleTests", dependencies: ["ClusterModel", "Console", "Packages"], swiftSettings: swift),
    .testTarget(name: "GuestChannelTests", dependencies: ["GuestChannel"], swiftSettings: swift),
    .testTarget(name: "DeploymentsTests", dependencies: ["ClusterModel", "Deployments"], swiftSettings: swift),
    .testTarget(name: "PackagesTests", dependencies: ["Packages"], exclude: ["Fixtures"], swiftSettings: swift),
    .executableTarget(
        name: "universe-report", dependencies: ["CatalogService", "Packages", "ServicesFramework"],
        path: "Tests/Support/Universe", swiftSettings: swift),
    .testTarget(
        name: "CatalogServiceTests",
        dependencies: [
            "CCatalog", "CZlib", "CatalogService", "ClusterModel", "Identity", "ImageStore", "LinuxSystem", "Packages",
            "StateStore",
            .product(name: "Logging", package: "swift-log"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "ServicesCoreTests", dependencies: ["ClusterModel", "Deployments", "ServicesCore"], swiftSettings: swift),
    .testTarget(name: "SchedulingTests", dependencies: ["ClusterModel", "Scheduling"], swiftSettings: swift),
    .testTarget(
        name: "SchedulesTests", dependencies: ["ClusterModel", "Schedules"], exclude: ["Fixtures"],
        swiftSettings: swift),
    .testTarget(
        name: "JobsCoreTests", dependencies: ["ClusterModel", "JobsCore", "Schedules"], swiftSettings: swift),
    .testTarget(
        name: "FrameworkRuntimeTests",
        dependencies: [
            "ClusterModel", "FrameworkRuntime", "StateStore", .product(name: "Logging", package: "swift-log"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "JobsFrameworkTests",
        dependencies: [
            "Access", "ClusterModel", "FrameworkRuntime", "HTTPGateway", "JobsCore", "JobsFramework", "Schedules",
            "StateStore",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "ServicesFrameworkTests",
        dependencies: [
            "Access", "ClusterModel", "Deployments", "FrameworkRuntime", "HTTPGateway", "ServicesCore",
            "ServicesFramework", "StateStore",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .testTarget(name: "TaskLifecycleTests", dependencies: ["ClusterModel", "TaskLifecycle"], swiftSettings: swift),
    .target(
        name: "ClusterSimulation",
        dependencies: ["AgentCore", "ClusterModel", "MasterCore", "Scheduling", "TaskLifecycle"],
        path: "Tests/Support/ClusterSimulation",
        swiftSettings: swift),
    .testTarget(
        name: "SimulationTests",
        dependencies: ["AgentCore", "ClusterModel", "ClusterSimulation", "MasterCore", "Scheduling", "TaskLifecycle"],
        swiftSettings: swift),
    .testTarget(
        name: "MasterCoreTests", dependencies: ["ClusterModel", "MasterCore", "Scheduling"], swiftSettings: swift),
    .testTarget(
        name: "AgentCoreTests", dependencies: ["AgentCore", "ClusterModel", "TaskLifecycle"], swiftSettings: swift),
    .testTarget(name: "LinuxSystemTests", dependencies: ["CLinux", "LinuxSystem"], swiftSettings: swift),
    .testTarget(name: "NetworkingTests", dependencies: ["ClusterModel", "Networking"], swiftSettings: swift),
    .testTarget(name: "NameServiceTests", dependencies: ["ClusterModel", "NameService"], swiftSettings: swift),
    .executableTarget(
        name: "network-driver", dependencies: ["ClusterModel", "NameService", "Networking"],
        path: "Tests/Support/NetworkDriver", swiftSettings: swift),
    .testTarget(name: "MicroVMTests", dependencies: ["GuestChannel", "MicroVM", "Packages"], swiftSettings: swift),
    .testTarget(name: "TaskMonitorTests", dependencies: ["LinuxSystem", "TaskMonitor"], swiftSettings: swift),
    .testTarget(
        name: "ContainerRuntimeTests", dependencies: ["CLinux", "CSeccomp", "ContainerRuntime", "LinuxSystem"],
        swiftSettings: swift),
    .executableTarget(
        name: "store-writer", dependencies: ["StateStore"], path: "Tests/Support/StoreWriter", swiftSettings: swift),
    .testTarget(name: "StateStoreTests", dependencies: ["CSQLite", "StateStore"], swiftSettings: swift),
    .testTarget(
        name: "MesosWireTests",
        dependencies: ["ClusterModel", "MesosWire", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
        resources: [.copy("Fixtures")],
        swiftSettings: swift),
    .testTarget(
        name: "HTTPGatewayTests",
        dependencies: [
            "HTTPGateway", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOHTTP2", package: "swift-nio-http2"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "X509", package: "swift-certificates"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "ImageStoreTests",
        dependencies: [
            "CLinux", "CZlib", "CZstd", "HTTPGateway", "ImageStore", "LinuxSystem", "Transport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "MasterNodeTests",
        dependencies: [
            "Access", "ClusterModel", "Console", "FrameworkRuntime", "HTTPGateway", "Identity", "JobsFramework",
            "MasterCore", "MasterNode", "Membership", "MesosWire", "ServicesFramework", "StateStore", "Transport",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "AgentNodeTests",
        dependencies: [
            "AgentCore", "AgentNode", "ClusterModel", "HTTPGateway", "LinuxSystem", "MesosWire", "Transport",
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
        ],
        swiftSettings: swift),
    .testTarget(
        name: "ApplianceTests",
        dependencies: [
            "Appliance", "ClusterModel", "OperatorCommands",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: swift),
    .testTarget(name: "TidyTests", swiftSettings: swift),
]

/// Only with RONDO_FUZZ, which names libFuzzer: the parsers of what comes from outside with its instruments, and what
/// feeds them, instead of everything else. `Tests/Fuzz/run` builds it, in a folder of its own.
@MainActor func fuzzing(with library: String) -> [Target] {
    let looks: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])]
    let targets = (decisions + mechanisms + facades).filter {
        ["ClusterModel", "Gossip", "GuestChannel", "Identity", "Membership", "Packages"].contains($0.name)
    }
    for target in targets where target.name != "ClusterModel" { target.swiftSettings = swift + looks }
    for target in targets where target.name == "Gossip" {
        // Sockets and streams have no part in it, and would bring half of all dependencies.
        target.dependencies = ["Membership", .product(name: "Crypto", package: "swift-crypto")]
        target.sources = [
            "Beacon.swift", "Envelope.swift", "KeyRing.swift", "MemberEndpoint.swift", "ReplayWindow.swift",
            "Seal.swift", "StreamMessage.swift",
        ]
    }
    let fuzzer: Target = .executableTarget(
        name: "parser-fuzz",
        dependencies: ["ClusterModel", "Gossip", "GuestChannel", "Identity", "Membership", "Packages"],
        path: "Tests/Fuzz", exclude: ["run"], swiftSettings: swift,
        linkerSettings: [
            .unsafeFlags(["-use-ld=lld", "-Xlinker", library]), .linkedLibrary("stdc++"), .linkedLibrary("m"),
        ])
    return targets + [fuzzer]
}

let fuzzer = Context.environment["RONDO_FUZZ"]
let targets =
    if let fuzzer { fuzzing(with: fuzzer) } else {
        c + decisions + mechanisms + facades + catalog + programs + benchmarks + tests
    }

let package = Package(
    name: "rondo",
    products: fuzzer == nil ? [.executable(name: "rondo", targets: ["rondo"])] : [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    ],
    targets: targets
)
