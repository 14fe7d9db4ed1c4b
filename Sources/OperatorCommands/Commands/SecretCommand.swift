internal import Appliance
internal import ArgumentParser
internal import Glibc
internal import HTTPTypes
internal import LinuxSystem

/// `rondo secret`.
struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret",
        abstract: "Keep passwords and keys for tasks.",
        discussion: """
            Tasks name a secret by its path, in their environment or as a volume. Users of a Mesos role may use the
            paths below its name.

              rondo secret put web/database/password < password.txt
              rondo secret list web
              rondo secret get web/database/password
              rondo secret rm web/database/password
            """,
        subcommands: [Put.self, List.self, Get.self, Remove.self])

    /// The longest value that a master keeps.
    static let valueLimit = 256 << 10
    static let octets = "application/octet-stream"

    static func target(_ path: String) -> String {
        let segments = path.split(separator: "/").map { PathText.escaped(String($0)) }
        return "/secrets/v1/secret/default/" + segments.joined(separator: "/")
    }

    /// Keeps a secret, or changes the one that is there.
    static func put(_ path: String, _ value: [UInt8], _ client: ClusterClient) async throws {
        // Text is kept as text, so that clients of either kind can read it.
        var (body, type) = (value, octets)
        if !value.contains(0), let text = String(validating: value, as: UTF8.self) {
            body = try JSONValue.object(["value": .text(text)]).encoded()
            type = "application/json"
        }
        let target = target(path)
        var answer = try await client.exchange(.put, target, body, type: type)
        if answer.status == 409 { answer = try await client.exchange(.patch, target, body, type: type) }
        guard (200..<300).contains(answer.status) else { throw ClusterClient.refusal(answer.status, answer.bytes) }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a secret, or change the one that is there.",
            discussion: """
                The value is never an argument, as everybody on a machine sees those. It comes from standard input,
                where one line end at the end does not count, or from a file as it is.

                  rondo secret put web/database/password < password.txt
                  rondo secret put web/tls/key --file key.der
                """)

        @Argument(help: "Its path, such as web/database/password.") var path: String
        @Option(help: ArgumentHelp("Where the value is. (default: standard input)", valueName: "file"))
        var file: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let value = try value()
            guard !value.isEmpty else { throw ApplianceError(.failure, "the value is empty; there is nothing to keep") }
            guard value.count <= SecretCommand.valueLimit else {
                throw ApplianceError(.failure, "the value has more than \(SecretCommand.valueLimit) bytes")
            }
            try await client.withClient { client in try await SecretCommand.put(path, value, client) }
        }

        private func value() throws -> [UInt8] {
            // One byte more than may be, so that what is too long shows.
            if let file { return try readFile(file, limit: SecretCommand.valueLimit + 1) }
            return Self.typed()
        }

        /// A value from standard input, where one line end at the end does not count.
        static func typed() -> [UInt8] {
            let isTerminal = isatty(STDIN_FILENO) == 1
            if isTerminal { Console.note("Type the value, then return. It is not shown.") }
            var bytes = isTerminal ? withoutEcho { line() } : all()
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            return bytes
        }

        private static func all() -> [UInt8] { read { _ in false } }
        private static func line() -> [UInt8] { read { $0.last == UInt8(ascii: "\n") } }

        private static func read(until isEnd: ([UInt8]) -> Bool) -> [UInt8] {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while bytes.count <= SecretCommand.valueLimit + 2, !isEnd(bytes) {
                let count = buffer.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
                bytes += buffer[..<count]
            }
            return bytes
        }

        private static func withoutEcho(_ body: () -> [UInt8]) -> [UInt8] {
            var settings = termios()
            guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return body() }
            var silent = settings
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
            defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) }
            return body()
        }
    }

    /// `GET /secrets/v1/secret/default?list=true`.
    struct ListDocument: Decodable {
        var array: [String]
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the paths of secrets.",
            discussion: """
                rondo secret list
                rondo secret list web
                """)

        @Argument(help: "Only those below this path.") var path: String = ""
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let below = path.split(separator: "/").joined(separator: "/")
            try await client.withClient { client in
                try await client.show(ListDocument.self, SecretCommand.target(path) + "?list=true") { document in
                    SecretCommand.table(document, below: below)
                }
            }
        }
    }

    static func table(_ document: ListDocument, below path: String) -> String {
        var table = TextTable("SECRET")
        for found in document.array { table.add(path.isEmpty ? found : path + "/" + found) }
        return table.text
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the value of a secret, as it is.",
            discussion: """
                rondo secret get web/database/password
                rondo secret get web/tls/key > key.der
                """)

        @Argument(help: "Its path.") var path: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                let answer = try await client.exchange(.get, SecretCommand.target(path), accept: SecretCommand.octets)
                guard answer.status == 200 else { throw ClusterClient.refusal(answer.status, answer.bytes) }
                Console.write(bytes: answer.bytes, to: STDOUT_FILENO)
                // For people only: a program gets the value and nothing else.
                if isatty(STDOUT_FILENO) == 1 { Console.out("") }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Forget a secret. Tasks that have it keep it.",
            discussion: "rondo secret rm web/database/password")

        @Argument(help: "Its path.") var path: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                _ = try await client.request(.delete, SecretCommand.target(path))
            }
        }
    }
}
