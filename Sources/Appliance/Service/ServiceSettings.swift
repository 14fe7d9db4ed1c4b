internal import Glibc
internal import LinuxSystem

/// The file of variables that the service starts with (systemd.exec(5), `EnvironmentFile=`).
package struct ServiceSettings: Equatable {
    static let path = "/etc/rondo/rondo.env"
    /// The words after `rondo cluster`.
    static let node = "RONDO_NODE"

    private static let head = [
        "# How rondo.service starts the node. Settings may be added as RONDO_KEY=value; data and runtime belong in",
        "# config.yaml, where commands find them too.",
    ]

    /// What is set, in order.
    package private(set) var variables: [(name: String, value: String)]

    package static func == (left: Self, right: Self) -> Bool { left.variables.elementsEqual(right.variables, by: ==) }

    package init(_ variables: [(name: String, value: String)]) { self.variables = variables }

    /// What of a command line and its environment the service must know. A token is not among it: the node has used it.
    /// Where the process is the service itself, its variables are there already.
    package init(_ configuration: Configuration, isService: Bool = false) {
        variables = [(Self.node, "start")]
        if let file = configuration.namedFile, !isService { variables.append(("RONDO_CONFIG", Self.absolute(file))) }
        for key in ConfigurationKey.allCases where key.isOfNode {
            guard let value = configuration.value(key) else { continue }
            switch value.source {
            case .flag: variables.append((key.environment, value.text))
            case .environment: if !isService { variables.append((key.environment, value.text)) }
            case .file, .builtIn: break
            }
        }
    }

    /// After the first start of a service that was told `init` or `join`, as in a prepared image: from now on it starts
    /// what it has become, and its token is forgotten.
    static func settle(_ configuration: Configuration) {
        guard Systemd.startedThis, let words = getenv(node).map({ String(cString: $0) }), words != "start",
            let text = (try? readFile(path, limit: 1 << 20)).map({ String(decoding: $0, as: UTF8.self) })
        else { return }
        try? writeFileAtomically(path, Array(Self(configuration, isService: true).merged(into: text).utf8))
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return String(cString: folder) + "/" + path
    }

    /// The lines for the file.
    package var lines: [String] { variables.map { "\($0.name)=\(Self.quoted($0.value))" } }

    /// The file with these settings in place of its own of the same names, and without a token; others' lines stay.
    package func merged(into text: String?) -> String {
        let kept = text.map { Self.lines(of: $0, without: Set(variables.map(\.name) + ["RONDO_TOKEN"])) } ?? Self.head
        return (kept + lines).joined(separator: "\n") + "\n"
    }

    /// Whether the service already starts like this.
    package func agree(with text: String) -> Bool {
        let there = text.split(separator: "\n").map(String.init)
        return lines.allSatisfy(there.contains)
    }

    /// The file's lines but for those that set one of these.
    static func lines(of text: String, without names: Set<String>) -> [String] {
        var all = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while all.last == "" { all.removeLast() }
        return all.filter { line in
            guard let equals = line.firstIndex(of: "="), !line.hasPrefix("#") else { return true }
            return !names.contains(String(line[..<equals]))
        }
    }

    /// Plain words as they are; everything else in double quotes, in which systemd takes a backslash before four
    /// characters away. Settings hold no line feeds.
    static func quoted(_ value: String) -> String {
        let plain = value.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/._-+:,@[]".utf8.contains(byte)
            }
        }
        if plain, !value.isEmpty { return value }
        return "\"" + value.flatMap { "\"\\$`".contains($0) ? ["\\", $0] : [$0] } + "\""
    }
}

extension ConfigurationKey {
    /// Whether a running node reads it, and it may be said in the service's own file.
    package var isOfNode: Bool {
        switch self {
        case .name, .advertise, .plainListen, .plainInsecure, .seed, .gossipPort, .keyFile, .certificateLifetime,
            .masterPort, .agentPort, .hostname, .resources, .attributes, .region, .zone, .logLevel, .unreachableAfter,
            .recoveryWindow, .jobs, .services, .drain, .limitProcessor, .logBytes, .logFiles, .namesListen:
            true
        // The data directory knows the role and the master; where it is, commands must find as well.
        case .data, .runtime, .role, .master, .behindNAT, .context, .token, .output, .devAgents, .devListen,
            .runInstances,
            .runCPUs, .runMemory, .runDisk, .runPorts, .runRole, .runUser, .runTimeout:
            false
        }
    }
}
