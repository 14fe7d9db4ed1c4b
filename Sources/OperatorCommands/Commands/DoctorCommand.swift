internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import LinuxSystem

/// `rondo doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Show what this kernel and this machine can do, and what to do about what is missing.",
        discussion: """
            Looks at files and tries things in child processes that end at once: it changes nothing, needs no node and \
            takes less than a second. Without root it says which checks would show more with it.

              rondo doctor
              sudo rondo doctor
              rondo doctor --only kvm vhost-vsock tun
              rondo doctor --output json

            Ends with 0 when everything that containers need is ok (the checks marked with *, among those that were \
            asked for), else with 1.

            CHECKS: \(HostDoctor.identifiers.joined(separator: ", ")).
            """)

    @Option(
        parsing: .upToNextOption, help: ArgumentHelp("Show these checks only. (default: all)", valueName: "id"))
    var only: [String] = []
    @Option(help: ArgumentHelp("How results are written: table or json. (default: table)", valueName: "form"))
    var output: String?
    @Option(
        help: ArgumentHelp(
            "The directory whose disk is looked at. (default: /var/lib/rondo)", valueName: "directory"))
    var data: String?
    @OptionGroup var file: ConfigOption

    func run() throws {
        let configuration = try file.load([.output: output, .data: data])
        let report: DoctorReport
        do throws(DoctorReport.UnknownCheck) {
            report = try HostDoctor.examine(dataDirectory: configuration.path(.data)).only(only)
        } catch {
            throw ValidationError("\(error)")
        }
        if configuration.text(.output) == "json" {
            Console.out(try Self.document(report))
        } else {
            Console.out(Self.text(report))
        }
        if !report.isReady { throw ArgumentParser.ExitCode(Appliance.ExitCode.failure.rawValue) }
    }

    /// The report on one line, keys sorted.
    static func document(_ report: DoctorReport) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }

    /// The table, then what to do about each gap, then the verdict.
    static func text(_ report: DoctorReport) -> String {
        var table = TextTable("CHECK", "STATE", "WHAT", "FINDING")
        for check in report.checks {
            table.add(check.id + (check.isRequired ? "*" : ""), check.state.rawValue, check.title, check.finding)
        }
        var parts = [table.text]
        let gaps = report.checks.filter { $0.state != .ok }
        if !gaps.isEmpty {
            parts.append(
                "What to do:\n"
                    + gaps.map { check in
                        TextTable.clean("  \(check.id), for \(check.neededFor)") + "\n"
                            + TextTable.clean("    \(check.advice ?? "nothing can be done")")
                    }.joined(separator: "\n"))
        }
        let unseen = report.checks.filter(\.needsRoot).map(\.id)
        if !unseen.isEmpty {
            parts.append("With the rights of root, more can be seen of: \(unseen.joined(separator: ", "))")
        }
        parts.append(verdict(report))
        return parts.joined(separator: "\n\n")
    }

    private static func verdict(_ report: DoctorReport) -> String {
        guard report.checks.contains(where: \.isRequired) else { return "Containers need none of these." }
        return report.isReady
            ? "Containers have all they need (*)."
            : "Containers need (*): \(report.unmet.map(\.id).joined(separator: ", "))"
    }
}
