internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// What systemd is asked, by its own commands.
package struct Systemd: Sendable {
    /// Whether it manages this machine (sd_booted(3)).
    static var isHere: Bool { access("/run/systemd/system", F_OK) == 0 }

    /// Whether it has started this very process, and not only one above it, such as a login or a script.
    static var startedThis: Bool {
        guard getenv("INVOCATION_ID") != nil else { return false }
        // Releases before 248 do not say whom they started.
        guard let pid = getenv("SYSTEMD_EXEC_PID").map({ String(cString: $0) }) else { return getppid() == 1 }
        return pid == "\(getpid())"
    }

    /// What it knows of the service.
    package struct State: Equatable, Sendable {
        var load = ""
        var active = ""
        var step = ""
        var file = ""
        package var pid: Int32 = 0

        package init(_ text: String) {
            for line in text.split(separator: "\n") {
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2 else { continue }
                switch parts[0] {
                case "LoadState": load = parts[1]
                case "ActiveState": active = parts[1]
                case "SubState": step = parts[1]
                case "UnitFileState": file = parts[1]
                case "MainPID": pid = Int32(parts[1]) ?? 0
                default: break
                }
            }
        }

        package var isKnown: Bool { !load.isEmpty && load != "not-found" }
        /// Whether it runs, or is about to.
        package var isUp: Bool { !["inactive", "failed", ""].contains(active) }
        /// Whether a start has come to nothing, though it may be tried again.
        package var hasFailed: Bool { active == "failed" || step.hasPrefix("auto-restart") }
    }

    func state() throws(ApplianceError) -> State {
        let wanted = "LoadState,ActiveState,SubState,UnitFileState,MainPID"
        return State(try tell("show", "--property=\(wanted)", ServiceUnit.name))
    }

    /// The unit's text with all that others have added to it.
    func unit() throws(ApplianceError) -> String { try tell("cat", ServiceUnit.name) }

    /// Asks for something, which must succeed.
    @discardableResult
    func tell(_ words: String...) throws(ApplianceError) -> String {
        let result = HostProgram.run(["systemctl", "--no-pager", "--no-ask-password", "--quiet"] + words, seconds: 90)
        guard result.status == 0 else {
            let reason = result.output.split(separator: "\n").joined(separator: "; ")
            throw ApplianceError(
                .failure,
                "`systemctl \(words.joined(separator: " "))` failed: "
                    + (reason.isEmpty ? "status \(result.status)" : reason)
                    + "; with --foreground the node runs without systemd")
        }
        return result.output
    }

    /// The last that the service has said since a moment.
    func journal(since start: UnixTime, lines: Int) -> [String] {
        let words = [
            "journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=\(lines)",
            "--since=@\(start.nanoseconds / 1_000_000_000)", "--unit=\(ServiceUnit.name)",
        ]
        let result = HostProgram.run(words, seconds: 10)
        guard result.status == 0 else { return [] }
        return result.output.split(separator: "\n").suffix(lines).map(String.init)
    }
}
