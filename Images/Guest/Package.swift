// swift-tools-version: 6.2
// Process 1 of a virtual machine, and what it shares with its host, in Embedded Swift. A package of its own, because
// modules of the two kinds do not mix, and because it needs none of the program's dependencies: `make guest` builds it in
// seconds. Its sources are the program's, by links.
import PackageDescription

let embedded: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Embedded"),
    .unsafeFlags(["-wmo", "-Osize"]),
]

let package = Package(
    name: "rondo-guest",
    products: [.executable(name: "rondo-init", targets: ["rondo-init"])],
    targets: [
        .target(name: "CGuest"),
        .target(name: "GuestChannel", swiftSettings: embedded),
        .executableTarget(
            name: "rondo-init", dependencies: ["CGuest", "GuestChannel"], path: "Sources/RondoInit",
            swiftSettings: embedded,
            linkerSettings: [
                .unsafeFlags(["-Xclang-linker", "-static", "-Xlinker", "--gc-sections", "-Xlinker", "-s"])
            ]),
    ]
)
