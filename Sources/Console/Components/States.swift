/// How the states of things look. Words that are not known are shown as they are, without a colour.
public enum States {
    /// A task's state: `TASK_RUNNING` is a good `running`.
    ///
    /// - Parameters:
    ///   - wireName: the name on the wire.
    ///   - isHealthy: what its checks say; nil when nothing.
    /// - Returns: how it is, and the word.
    public static func task(_ wireName: String, isHealthy: Bool? = nil) -> (tone: Tone, word: String) {
        switch wireName {
        case "TASK_RUNNING":
            isHealthy.map { $0 ? (.good, "healthy") : (.bad, "unhealthy") } ?? (.good, "running")
        case "TASK_STAGING": (.busy, "staging")
        case "TASK_STARTING": (.busy, "starting")
        case "TASK_KILLING": (.busy, "ending")
        case "TASK_FINISHED": (.idle, "finished")
        case "TASK_KILLED": (.idle, "killed")
        case "TASK_UNREACHABLE": (.warn, "unreachable")
        case "TASK_UNKNOWN": (.warn, "unknown")
        case "TASK_FAILED": (.bad, "failed")
        case "TASK_ERROR": (.bad, "error")
        case "TASK_LOST": (.bad, "lost")
        case "TASK_DROPPED": (.bad, "dropped")
        case "TASK_GONE": (.bad, "gone")
        case "TASK_GONE_BY_OPERATOR": (.idle, "given up")
        default: (.idle, wireName)
        }
    }

    /// An agent's session: `connected`, `disconnected`, `recovered`, `unreachable`, `gone`.
    ///
    /// - Parameter word: the word of the interfaces.
    /// - Returns: how it is.
    public static func node(_ word: String) -> Tone {
        switch word {
        case "connected": .good
        case "recovered": .busy
        case "disconnected": .warn
        case "unreachable": .bad
        default: .idle
        }
    }

    /// A framework: `connected`, `disconnected`, `removed`.
    ///
    /// - Parameter word: the word of the interfaces.
    /// - Returns: how it is.
    public static func framework(_ word: String) -> Tone {
        switch word {
        case "connected": .good
        case "disconnected": .warn
        default: .idle
        }
    }
}
