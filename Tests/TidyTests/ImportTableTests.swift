import Testing

/// The module graph of Documentation/architecture.md as a table: the row of each of our targets.
private let rows: [String: Double] = [
    "CCatalog": 0, "CConsole": 0, "CGuest": 0, "CLinux": 0, "CSQLite": 0, "CSeccomp": 0, "CYAML": 0, "CZlib": 0,
    "CZones": 0, "CZstd": 0,
    "ClusterModel": 1,
    "Access": 2, "Deployments": 2, "GuestChannel": 2, "Membership": 2, "Packages": 2, "Schedules": 2, "Scheduling": 2,
    "TaskLifecycle": 2,
    "MasterCore": 2.5, "AgentCore": 2.5, "JobsCore": 2.5, "ServicesCore": 2.5,
    "Identity": 3, "LinuxSystem": 3, "MicroVM": 3, "StateStore": 3, "Transport": 2.9, "HTTPGateway": 3, "MesosWire": 3,
    "ImageStore": 3.2,
    "TaskMonitor": 3.5, "ContainerRuntime": 3.5, "FrameworkRuntime": 3.5, "Networking": 3.5, "NameService": 3.5,
    "Gossip": 4, "JobsFramework": 4, "ServicesFramework": 4,
    "CatalogService": 4.5, "Console": 4.5,
    "MasterNode": 5, "AgentNode": 5,
    "Appliance": 6,
    "OperatorCommands": 7,
    "rondo": 8, "RondoInit": 8,
]

/// What each target may import from outside; a target that is not listed may import nothing but our own.
private let foreign: [String: Set<String>] = [
    "Identity": ["Crypto", "CryptoExtras", "FoundationEssentials", "SwiftASN1", "Synchronization", "X509"],
    "LinuxSystem": ["Glibc", "Synchronization"],
    "StateStore": ["Glibc", "Synchronization", "Dispatch"],
    "Transport": ["NIOCore", "NIOPosix", "NIOSSL", "NIOTLS", "Glibc", "Synchronization"],
    "HTTPGateway": [
        "HTTPTypes", "Logging", "NIOCore", "NIOHTTP1", "NIOHTTP2", "NIOPosix",
        "Synchronization", "FoundationEssentials", "NIOConcurrencyHelpers",
    ],
    "FrameworkRuntime": ["Logging", "Synchronization"],
    "JobsFramework": ["FoundationEssentials", "HTTPTypes", "Logging", "NIOCore", "Synchronization"],
    "ServicesFramework": ["FoundationEssentials", "HTTPTypes", "Logging", "NIOCore", "Synchronization"],
    "CatalogService": [
        "Crypto", "FoundationEssentials", "Glibc", "HTTPTypes", "Logging", "NIOCore", "Synchronization",
    ],
    "Gossip": ["Crypto", "FoundationEssentials", "Glibc", "Logging", "NIOCore", "NIOPosix", "Synchronization"],
    "ImageStore": [
        "Crypto", "Dispatch", "FoundationEssentials", "Glibc", "HTTPTypes", "NIOCore", "Synchronization",
    ],
    "MesosWire": ["SwiftProtobuf", "FoundationEssentials"],
    "Networking": ["FoundationEssentials", "Glibc", "Synchronization"],
    "NameService": ["FoundationEssentials", "Glibc", "Synchronization"],
    "TaskMonitor": ["Glibc"],
    "ContainerRuntime": ["Glibc", "Synchronization"],
    "MasterNode": [
        "Crypto", "FoundationEssentials", "Glibc", "HTTPTypes", "Logging", "NIOCore", "Synchronization",
        "SwiftProtobuf",
    ],
    "AgentNode": [
        "FoundationEssentials", "Glibc", "HTTPTypes", "Logging", "NIOCore", "Synchronization", "Dispatch",
    ],
    "Appliance": [
        "Crypto", "FoundationEssentials", "Glibc", "HTTPTypes", "Logging", "NIOCore", "Synchronization", "Dispatch",
    ],
    "OperatorCommands": [
        "ArgumentParser", "FoundationEssentials", "Glibc", "HTTPTypes", "Logging", "NIOCore", "Synchronization",
        "Dispatch",
    ],
    "rondo": ["Glibc"],
]

@Suite("The import table")
struct ImportTableTests {
    @Test func `a target imports only targets of lower rows, and of the outside what its row may`() {
        for file in SourceTree.files(under: "Sources", endingIn: ".swift") {
            guard let row = rows[file.target] else {
                Issue.record("\(file.path): target \(file.target) is not in the table")
                continue
            }
            for module in SourceTree.imports(of: file) {
                if let theirs = rows[module] {
                    #expect(theirs < row, "\(file.path) imports \(module), which is not in a lower row")
                } else {
                    #expect(
                        foreign[file.target]?.contains(module) == true,
                        "\(file.path) imports \(module); allow it in the table with a reason, or do without")
                }
            }
        }
    }

    @Test func `the monitor and the runtime are imported by the program alone`() {
        for file in SourceTree.files(under: "Sources", endingIn: ".swift") where file.target != "rondo" {
            let imports = SourceTree.imports(of: file)
            for module in ["TaskMonitor", "ContainerRuntime"] {
                #expect(!imports.contains(module), "\(file.path) imports \(module)")
            }
        }
    }

    @Test func `nothing shipped imports Foundation, which would bring ICU into the file`() {
        for file in SourceTree.files(under: "Sources", endingIn: ".swift") {
            #expect(!SourceTree.imports(of: file).contains("Foundation"), "\(file.path): use FoundationEssentials")
        }
    }
}
