/// What containerd lets a user set for the runtime (`containerd.runc.v1.Options`).
struct ShimOptions: Equatable {
    var noPivotRoot = false
    var noNewKeyring = false
    var shimCgroup = ""
    var ioUser: UInt32 = 0
    var ioGroup: UInt32 = 0
    var root = ""
    var systemdCgroup = false

    /// Where the containers are kept that no option puts elsewhere.
    static let standardRoot = "/run/containerd/rondo"

    /// The messages that options come as. The second is what the CRI plugin sends to runtimes that it does not know by
    /// name: a part of its own configuration file.
    static let types = ["containerd.runc.v1.Options", "runtimeoptions.v1.Options"]

    init() {}

    /// Reads the options of a request or of the shim's start.
    ///
    /// - Parameter any: a `google.protobuf.Any`; empty for no options.
    /// - Throws: when they are of a kind that is not known, or malformed.
    init(any: ArraySlice<UInt8>) throws(ShimFailure) {
        self.init()
        let envelope = try ProtobufMessage(any)
        let type = try envelope.text(1)
        let content = try envelope.bytes(2)
        switch type.split(separator: "/").last {
        case Self.types[0][...]: self = try ShimOptions(content)
        case Self.types[1][...]: self = ShimOptions(table: try ProtobufMessage(content).text(3))
        case nil: return
        default: throw .invalid("the options are of the unknown type \(type)")
        }
    }

    /// Reads the options themselves.
    init(_ content: ArraySlice<UInt8>) throws(ShimFailure) {
        let message = try ProtobufMessage(content)
        noPivotRoot = try message.flag(1)
        noNewKeyring = try message.flag(2)
        shimCgroup = try message.text(3)
        ioUser = try message.small(4)
        ioGroup = try message.small(5)
        root = try message.text(7)
        systemdCgroup = try message.flag(9)
    }

    /// The options as the file of a bundle keeps them, for whoever cleans up after this process.
    var encoded: [UInt8] {
        var message = ProtobufWriter()
        message.put(1, noPivotRoot)
        message.put(2, noNewKeyring)
        message.put(3, shimCgroup)
        message.put(4, UInt64(ioUser))
        message.put(5, UInt64(ioGroup))
        message.put(7, root)
        message.put(9, systemdCgroup)
        return message.bytes
    }

    /// Reads `Name = value` lines of TOML; others are none of ours.
    private init(table: String) {
        for line in table.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map { part in
                String(part.split { $0 == " " || $0 == "\t" || $0 == "\r" }.joined(separator: " "))
            }
            guard parts.count == 2 else { continue }
            let isQuoted = parts[1].hasPrefix("\"") || parts[1].hasPrefix("'")
            let text = isQuoted ? String(parts[1].dropFirst().dropLast()) : ""
            switch parts[0] {
            case "SystemdCgroup": systemdCgroup = parts[1] == "true"
            case "NoPivotRoot": noPivotRoot = parts[1] == "true"
            case "NoNewKeyring": noNewKeyring = parts[1] == "true"
            case "ShimCgroup": shimCgroup = text
            case "Root": root = text
            case "IoUid": ioUser = UInt32(parts[1]) ?? 0
            case "IoGid": ioGroup = UInt32(parts[1]) ?? 0
            default: break
            }
        }
    }
}
