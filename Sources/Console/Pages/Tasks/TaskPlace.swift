public import ClusterModel

/// A task as its pages name it: where they are and how they lead to each other.
public struct TaskPlace: Hashable, Sendable {
    /// A page of a task.
    public enum Tab: String, Sendable, CaseIterable {
        case details, log, files, terminal

        fileprivate var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
    }

    /// The framework's id.
    public var framework: String
    /// The task's id.
    public var task: String
    /// Where its files are on the agent; nil when nobody knows yet, or any more.
    public var directory: String?
    /// The agent's id.
    public var agent: String
    /// Whether a command can be run in it: it runs and has a container.
    public var hasTerminal: Bool

    /// Makes a place.
    public init(framework: String, task: String, directory: String?, agent: String, hasTerminal: Bool) {
        self.framework = framework
        self.task = task
        self.directory = directory
        self.agent = agent
        self.hasTerminal = hasTerminal
    }

    /// One of its pages.
    ///
    /// - Parameters:
    ///   - more: the segments after the task.
    ///   - query: the parameters.
    /// - Returns: the address.
    public func link(_ more: String..., query: [(name: String, value: String)] = []) -> Link {
        Link(path: ["tasks", framework, task] + more, query: query)
    }

    /// The way to a page of it.
    var crumbs: [Crumb] { [Crumb("Tasks", Section.tasks.link)] }
    var inner: [Crumb] { crumbs + [Crumb(task, link())] }

    /// The agent's own interface, which the master passes on.
    ///
    /// - Parameters:
    ///   - segments: the segments after the agent.
    ///   - path: the file or folder that is meant.
    /// - Returns: the address.
    func agentLink(_ segments: [String], path: String? = nil) -> Link {
        Link(absolute: ["agent", agent] + segments, query: path.map { [("path", $0)] } ?? [])
    }

    /// Links between the pages of a task.
    func writeTabs(_ current: Tab, to html: inout HTML) {
        html.tag("nav", .class("tabs"), .label("Pages of this task")) { html in
            for tab in Tab.allCases {
                if tab == .terminal, !hasTerminal, current != .terminal { continue }
                if tab != .details, tab != .terminal, directory == nil, current != tab { continue }
                html.tag(
                    "a", .href(tab == .details ? link() : link(tab.rawValue)),
                    .when(tab == current, .attr("aria-current", "page")), text: tab.title)
            }
        }
    }
}

/// The states of tasks in words.
public enum TaskWords {
    /// Such as `running` or `gone by operator`.
    ///
    /// - Parameter state: the state.
    /// - Returns: one or two words.
    public static func word(_ state: TaskState) -> String {
        state.wireName.dropFirst(5).lowercased().split(separator: "_").joined(separator: " ")
    }

    /// How good that is.
    ///
    /// - Parameters:
    ///   - state: the state.
    ///   - isHealthy: what the health check says; nil where there is none.
    /// - Returns: the tone.
    public static func tone(_ state: TaskState, isHealthy: Bool? = nil) -> Tone {
        switch state {
        case .running: isHealthy == false ? .warn : .good
        case .staging, .starting, .killing: .busy
        case .unreachable, .unknown: .warn
        case .finished, .killed: .idle
        case .failed, .error, .dropped, .gone, .goneByOperator, .lost: .bad
        }
    }

    /// A reason in words: `REASON_CONTAINER_LIMITATION_MEMORY` is `container limitation memory`.
    ///
    /// - Parameter reason: the reason.
    /// - Returns: the words.
    public static func word(_ reason: StatusReason) -> String {
        reason.rawValue.dropFirst(7).lowercased().split(separator: "_").joined(separator: " ")
    }
}
