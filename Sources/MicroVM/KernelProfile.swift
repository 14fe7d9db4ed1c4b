import Packages

/// A guest kernel and how it is booted: a file that comes with the program, or that an operator adds.
///
///     { "path": "/usr/lib/rondo/kernel/vmlinux", "machine": "microvm,acpi=off,x-option-roms=off",
///       "cmdline": "console=ttyS0 quiet reboot=t panic=-1", "transport": "mmio" }
public struct KernelProfile: Hashable, Sendable {
    /// How the kernel finds its devices.
    public enum Transport: String, CaseIterable, Sendable {
        /// The machine monitor names them on the kernel's command line: the machine has `acpi=off`.
        case mmio
        /// In ACPI's tables: the machine has `acpi=on`. Distributions' kernels know only this way.
        case acpi
    }

    /// What it is called: its file's name without the end.
    public var name: String
    /// The kernel's path.
    public var path: String
    /// The machine and its options, which have been checked.
    public var machine: String
    /// What its command line begins with.
    public var cmdline: String
    /// How it finds its devices.
    public var transport: Transport
    /// The SHA-256 of the kernel's file, 64 hexadecimal digits; nil when it is not pinned.
    public var digest: String?

    /// Makes a profile of parts that have been checked.
    public init(
        name: String, path: String, machine: String, cmdline: String, transport: Transport, digest: String? = nil
    ) {
        self.name = name
        self.path = path
        self.machine = machine
        self.cmdline = cmdline
        self.transport = transport
        self.digest = digest
    }
}

/// Why a profile was not taken.
public struct KernelProfileFault: Error, Hashable, Sendable {
    /// The file's name.
    public var file: String
    /// The field, where it is one.
    public var field: String?
    /// What is wrong with it, and what would be right.
    public var problem: String

    /// What to tell: lower case, no full stop.
    public var reason: String { "kernel profile \(file): \(field.map { "\($0) " } ?? "")\(problem)" }
}

extension KernelProfile {
    /// Bytes that a profile's file may have.
    public static let fileBytes = 16 << 10

    /// The options of QEMU's `microvm` that a profile may set, each `on` or `off`. The others are the launcher's, or
    /// would give the guest more than it needs.
    private static let options: Set<String> = ["acpi", "pit", "pic", "rtc", "isa-serial", "x-option-roms"]

    /// Words that the launcher adds, or that would undo what it relies on.
    private static let ownWords = [
        "no_timer_check", "nolapic_timer", "tsc_early_khz", "tsc", "init", "rdinit", "root", "virtio_mmio.device",
    ]

    /// Reads a profile's file.
    /// - Parameters:
    ///   - file: its name, which must end in `.json`.
    ///   - bytes: what is in it.
    /// - Throws: what is wrong, with the field.
    public init(file: String, bytes: [UInt8]) throws(KernelProfileFault) {
        func fault(_ field: String?, _ problem: String) -> KernelProfileFault {
            KernelProfileFault(file: file, field: field, problem: problem)
        }
        let name = file.hasSuffix(".json") ? String(file.dropLast(5)) : ""
        guard Self.isName(name) else {
            throw fault(nil, "must be called NAME.json, with at most 64 letters, digits, dots and dashes in NAME")
        }
        let document: JSON
        do {
            document = try JSON(parsing: bytes, limits: JSONLimits(bytes: Self.fileBytes, values: 64, depth: 4))
        } catch {
            throw fault(nil, "is no JSON: \(error.description)")
        }
        guard let object = document.object else { throw fault(nil, "must be an object, it is a \(document.kind)") }
        let fields = ["path", "machine", "cmdline", "transport", "digest"]
        for name in object.names where !fields.contains(name) {
            throw fault(name, "is not known; there are \(fields.joined(separator: ", "))")
        }
        func text(_ field: String) throws(KernelProfileFault) -> String {
            guard let value = object[field] else { throw fault(field, "is missing") }
            guard let text = value.text else { throw fault(field, "must be a text, it is a \(value.kind)") }
            return text
        }
        let path = try text("path")
        guard MachineDescription.isPath(path) else {
            throw fault("path", "must be absolute and have no comma and no control character")
        }
        let word = try text("transport")
        guard let transport = Transport(rawValue: word) else {
            let words = Transport.allCases.map(\.rawValue).joined(separator: " or ")
            throw fault("transport", "is \"\(word)\", it must be \(words)")
        }
        let machine = try text("machine")
        if let problem = Self.problem(ofMachine: machine, transport) { throw fault("machine", problem) }
        let cmdline = try text("cmdline")
        if let problem = Self.problem(ofCommandLine: cmdline) { throw fault("cmdline", problem) }
        let digest = object["digest"] == nil ? nil : try text("digest")
        guard digest.map(Self.isDigest) ?? true else {
            throw fault("digest", "must be 64 hexadecimal digits in lower case: the SHA-256 of the kernel's file")
        }
        self.init(
            name: name, path: path, machine: machine, cmdline: cmdline, transport: transport, digest: digest)
    }

    /// Reads all profiles of a folder.
    /// - Parameter files: the names and bytes of its files; those that end otherwise than in `.json` are left out.
    /// - Returns: the profiles by name, and what was wrong with the others. One bad file does not take the rest away.
    public static func list(
        of files: [(name: String, bytes: [UInt8])]
    ) -> (profiles: [KernelProfile], faults: [KernelProfileFault]) {
        var found: (profiles: [KernelProfile], faults: [KernelProfileFault]) = ([], [])
        for file in files.sorted(by: { $0.name < $1.name }) where file.name.hasSuffix(".json") {
            do throws(KernelProfileFault) {
                found.profiles.append(try KernelProfile(file: file.name, bytes: file.bytes))
            } catch { found.faults.append(error) }
        }
        return found
    }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func problem(ofMachine machine: String, _ transport: Transport) -> String? {
        let parts = machine.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.first == "microvm" else { return "must begin with microvm" }
        // QEMU's own default.
        var hasTables = true
        var seen: Set<Substring> = []
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, options.contains(String(pair[0])), pair[1] == "on" || pair[1] == "off" else {
                return "has \"\(part)\"; it may have \(options.sorted().joined(separator: ", ")), each =on or =off"
            }
            guard seen.insert(pair[0]).inserted else { return "has \(pair[0]) twice" }
            if pair[0] == "acpi" { hasTables = pair[1] == "on" }
        }
        guard hasTables == (transport == .acpi) else {
            return transport == .acpi ? "has acpi=off, but the transport is acpi" : "must have acpi=off for mmio"
        }
        return nil
    }

    private static func problem(ofCommandLine line: String) -> String? {
        guard line.utf8.count <= 1_024 else { return "has more than 1024 bytes" }
        guard line.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return "has other than printable ASCII" }
        for word in line.split(separator: " ") {
            let name = word.prefix { $0 != "=" }
            if ownWords.contains(String(name)) { return "has \(name), which the launcher sets itself" }
        }
        return nil
    }
}
