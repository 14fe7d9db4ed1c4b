import Testing

/// A word that may not be used, where it may all the same, and what to do instead.
private struct Ban: Sendable {
    var word: String
    var allowedIn: Set<String>
    var instead: String
}

private let decisions: Set<String> = [
    "Access",
    "ClusterModel", "Deployments", "GuestChannel", "Membership", "Packages", "Schedules", "Scheduling", "TaskLifecycle",
    "MasterCore",
    "AgentCore", "JobsCore", "ServicesCore",
]

private let bans: [Ban] = [
    Ban(word: "@MainActor", allowedIn: [], instead: "the main thread only waits for signals; run a detached task"),
    Ban(word: ".shuffled()", allowedIn: [], instead: "pass a generator"),
    Ban(word: "fatalError(", allowedIn: [], instead: "throw, or state a precondition"),
    Ban(word: "try!", allowedIn: [], instead: "handle the error"),
    Ban(word: "Task.sleep(nanoseconds", allowedIn: [], instead: "Task.sleep(for:)"),
    Ban(word: "print(", allowedIn: ["OperatorCommands", "Appliance", "rondo"], instead: "log, or return the text"),
]

/// What decisions may not touch at all.
private let impure: [Ban] = [
    Ban(word: "ContinuousClock", allowedIn: [], instead: "take the time as an argument"),
    Ban(word: "SuspendingClock", allowedIn: [], instead: "take the time as an argument"),
    Ban(word: "SystemRandomNumberGenerator", allowedIn: [], instead: "take a generator as an argument"),
    Ban(word: ".random(in: ", allowedIn: [], instead: "use the variant with a generator"),
    Ban(word: "Task.sleep", allowedIn: [], instead: "return a deadline"),
    Ban(word: "await ", allowedIn: [], instead: "return an effect"),
    Ban(word: "Logger", allowedIn: [], instead: "let the driver log from effects"),
]

@Suite("Banned calls")
struct BannedCallTests {
    private func check(_ file: SourceTree.File, _ bans: [Ban]) {
        for (number, line) in file.lines.enumerated() {
            let code = line.components(separatedByComment: "//")
            for ban in bans where !ban.allowedIn.contains(file.target) && code.contains(ban.word) {
                // A generator given by the caller is what the ban asks for.
                if ban.word == ".random(in: ", code.contains("using:") { continue }
                Issue.record("\(file.path):\(number + 1): \(ban.word) is banned; \(ban.instead)")
            }
        }
    }

    @Test func `shipped code keeps to the calls it may use`() {
        for file in SourceTree.files(under: "Sources", endingIn: ".swift") { check(file, bans) }
    }

    @Test func `decisions have no clock, chance, log or suspension`() {
        for file in SourceTree.files(under: "Sources", endingIn: ".swift") where decisions.contains(file.target) {
            check(file, impure)
        }
    }

    @Test func `no leftover marks of unfinished work`() {
        let marks = ["FIX" + "ME", "TO" + "DO", "XX" + "X:", "HA" + "CK:"]
        for folder in ["Sources", "Tests", "Provisioning"] {
            for file in SourceTree.files(under: folder, endingIn: "") {
                for mark in marks where file.text.contains(mark) { Issue.record("\(file.path) has a \(mark)") }
            }
        }
    }
}

extension Substring {
    /// The line up to a comment.
    fileprivate func components(separatedByComment mark: String) -> Substring {
        guard let comment = firstRange(of: mark) else { return self }
        return self[..<comment.lowerBound]
    }
}
