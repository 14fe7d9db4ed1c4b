internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import LinuxSystem

extension TaskCommand {
    /// `rondo task exec`.
    struct Exec: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a command in the container of a task.",
            discussion: """
                rondo task exec web.1 -- ps -ef
                rondo task exec -it web.1 -- bash
                rondo task exec -i db.1 -- psql < dump.sql

                The command runs as the task's user, under the task's limits, and ends when you leave: with its exit code, \
                or 128 plus the signal that ended it. With -t, Ctrl-C goes to the command; Ctrl-P Ctrl-Q leaves it running, \
                and `rondo task attach TASK SESSION` comes back to it.
                """)

        @Flag(name: .shortAndLong, help: "Send standard input to the command.") var interactive = false
        @Flag(name: .shortAndLong, help: "Give the command a terminal.") var tty = false
        @Option(
            name: .shortAndLong,
            help: ArgumentHelp("A variable for the command; may be repeated.", valueName: "NAME=value"))
        var env: [String] = []
        @Option(
            help: ArgumentHelp("The keys that leave the command running. (default: ctrl-p,ctrl-q)", valueName: "keys"))
        var detachKeys: String?
        @OptionGroup var client: ClientOptions
        @Argument(help: "TASK or FRAMEWORK/TASK.") var task: String
        @Argument(parsing: .postTerminator, help: "After --: the command and its arguments.") var command: [String] = []

        func validate() throws {
            guard let program = command.first, !program.isEmpty else {
                throw ValidationError("no command; write it after --, such as: rondo task exec -it \(task) -- sh")
            }
            guard env.allSatisfy({ $0.contains("=") && !$0.hasPrefix("=") }) else {
                throw ValidationError("--env takes NAME=VALUE, such as LANG=C")
            }
            _ = try TaskCommand.keys(detachKeys)
        }

        func run() async throws {
            let keys = try TaskCommand.keys(detachKeys)
            guard !(tty && interactive) || LocalInput.isTerminal else {
                throw ApplianceError(.usage, "standard input is no terminal; leave out -t")
            }
            try await client.withClient { client in
                let place = try await TaskCommand.container(of: task, client)
                let session = SessionClient(
                    client: client, node: place.node, container: place.container, id: UUID().uuidString.lowercased())
                var environment = env
                let ours = ProcessEnvironment.variables()
                if tty, let term = ours["TERM"], !term.isEmpty, !env.contains(where: { $0.hasPrefix("TERM=") }) {
                    environment.append("TERM=\(term)")
                }
                let size = tty ? TerminalSize(of: 0) ?? TerminalSize(rows: 24, columns: 80) : nil
                let body = try await session.launch(command, environment: environment, terminal: size)
                let terminal = try SessionTerminal(session, keys: tty ? keys : nil)
                let end = try await terminal.run(body, isInteractive: interactive, hasTerminal: tty)
                try TaskCommand.finish(end, session, task)
            }
        }
    }

    /// `rondo task attach`.
    struct Attach: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Go back to a command that was left running, or to a task: see what it writes, type on its terminal.",
            discussion: """
                rondo task attach web.1 4f2c0c6e-…     the session that `rondo task exec` named when you left it
                rondo task attach web.1                what the task writes, until it has ended

                A task that was started with a terminal gets what you type as well, and Ctrl-P Ctrl-Q leaves it.
                """)

        @Option(
            help: ArgumentHelp("The keys that leave the command running. (default: ctrl-p,ctrl-q)", valueName: "keys"))
        var detachKeys: String?
        @Flag(name: .customLong("no-stdin"), help: "Only watch.") var noStdin = false
        @OptionGroup var client: ClientOptions
        @Argument(help: "TASK or FRAMEWORK/TASK.") var task: String
        @Argument(help: "The session; the task itself when left out.") var session: String?

        func validate() throws { _ = try TaskCommand.keys(detachKeys) }

        func run() async throws {
            let keys = try TaskCommand.keys(detachKeys)
            try await client.withClient { client in
                let place = try await TaskCommand.container(of: task, client)
                let session = SessionClient(client: client, node: place.node, container: place.container, id: session)
                let body = try await session.attach()
                let terminal = try SessionTerminal(session, keys: keys)
                if noStdin || session.id == nil && !place.hasTerminal { return try await terminal.watch(body) }
                let end = try await terminal.run(body, isInteractive: !noStdin, hasTerminal: LocalInput.isTerminal)
                try TaskCommand.finish(end, session, task)
            }
        }
    }

    /// Where a task runs.
    struct Place {
        var node: String
        var container: String
        var hasTerminal: Bool
    }

    static func container(of task: String, _ client: ClusterClient) async throws -> Place {
        let found = try await client.document(TaskDocument.self, "/rondo/v1/tasks/\(PathText.taskPath(task))").0
        if found.ended {
            throw ApplianceError(.failure, "task '\(found.id)' has ended: \(Words.state(found.state))")
        }
        guard let container = found.container else {
            throw ApplianceError(
                .failure, "task '\(found.id)' has not started yet: \(Words.state(found.state)); try again when it runs")
        }
        return Place(node: found.node, container: container, hasTerminal: found.tty == true)
    }

    static func keys(_ text: String?) throws -> DetachKeys {
        guard let keys = DetachKeys(text ?? DetachKeys.standard) else {
            throw ValidationError("--detach-keys takes names such as ctrl-p,ctrl-q or ctrl-a,d")
        }
        return keys
    }

    static func finish(_ end: SessionClient.End, _ session: SessionClient, _ task: String) throws {
        switch end {
        case .detached:
            let name = ([task] + [session.id].compactMap { $0 }).joined(separator: " ")
            Console.note("\r\nthe command goes on; `rondo task attach \(name)` comes back to it")
        case .ended(let status):
            let signal = status & 0x7f
            let code = signal == 0 ? (status >> 8) & 0xff : 128 + signal
            if code != 0 { throw ArgumentParser.ExitCode(code) }
        }
    }
}
