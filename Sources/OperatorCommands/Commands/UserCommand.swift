internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import HTTPTypes
internal import LinuxSystem

/// `rondo user`.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Who may use the cluster: people and services.",
        discussion: """
            Roles are administrator, operator, viewer and user:ROLE, which may run frameworks in that Mesos role.

              rondo user list
              rondo user add alice --role operator --password
              rondo user add spark --service --role user:analytics --key spark.pub
              rondo user token alice --lifetime 30d
              rondo user password alice
              rondo user rm alice
            """,
        subcommands: [List.self, Add.self, Change.self, PasswordChange.self, Token.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List users.", discussion: "rondo user list")

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(UsersDocument.self, "/rondo/v1/users") { document in
                    var table = TextTable("NAME", "KIND", "ROLES", "RULES", "PASSWORD", "KEY", "TOKENS#", "DESCRIPTION")
                    for user in document.users {
                        table.add(
                            user.name, user.kind, user.roles.joined(separator: ", "),
                            user.rules.joined(separator: ", "),
                            user.hasPassword ? "yes" : "no", user.hasKey ? "yes" : "no", "\(user.tokens)",
                            user.description)
                    }
                    return table.text
                }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a user.",
            discussion: """
                rondo user add alice --role operator --password
                rondo user add spark --service --role user:analytics --key spark.pub
                """)

        @Argument(help: "The name.") var name: String
        @Option(help: ArgumentHelp("administrator, operator, viewer or user:ROLE; may be repeated.", valueName: "role"))
        var role: [String] = []
        @Option(help: ArgumentHelp("A further right, VERB:OBJECT; may be repeated.", valueName: "rule"))
        var rule: [String] = []
        @Option(help: "What the user is for.") var description: String?
        @Flag(help: "A service, which logs in with a key or a token.") var service = false
        @Flag(help: "Ask for a password, or read it from standard input.") var password = false
        @Option(help: ArgumentHelp("The file with the public key (RSA, PEM) of a service account.", valueName: "file"))
        var key: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var body: [String: JSONValue] = [
                "name": .text(name), "kind": .text(service ? "service" : "person"),
                "roles": .list(role.map { .text($0) }), "rules": .list(rule.map { .text($0) }),
            ]
            if let description { body["description"] = .text(description) }
            if let key { body["publicKey"] = .text(try UserCommand.contents(key)) }
            if password { body["password"] = .text(try Password.read("password of \(name): ")) }
            let document = JSONValue.object(body)
            try await client.withClient { client in
                _ = try await client.request(.post, "/rondo/v1/users", body: document)
                Console.out("rondo: the user '\(name)' is made")
            }
        }
    }

    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change what a user may do.",
            discussion: "rondo user set alice --role viewer --rule task.kill:web")

        @Argument(help: "The name.") var name: String
        @Option(help: ArgumentHelp("In place of the roles there were; may be repeated.", valueName: "role"))
        var role: [String] = []
        @Option(help: ArgumentHelp("In place of the rules there were; may be repeated.", valueName: "rule"))
        var rule: [String] = []
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let body = JSONValue.object([
                "roles": .list(role.map { .text($0) }), "rules": .list(rule.map { .text($0) }),
            ])
            try await client.withClient { client in
                _ = try await client.request(.patch, "/rondo/v1/users/\(PathText.escaped(name))", body: body)
                Console.out("rondo: the user '\(name)' has these rights now")
            }
        }
    }

    struct PasswordChange: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "password", abstract: "Give a user another password; sessions of the old one end.",
            discussion: "rondo user password alice")

        @Argument(help: "The name.") var name: String
        @Flag(help: "Ask for the present password first, as users must who change their own.") var own = false
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var body: [String: JSONValue] = [:]
            if own { body["currentPassword"] = .text(try Password.read("present password of \(name): ")) }
            body["password"] = .text(try Password.read("new password of \(name): "))
            let document = JSONValue.object(body)
            try await client.withClient { client in
                _ = try await client.request(.patch, "/rondo/v1/users/\(PathText.escaped(name))", body: document)
                Console.out("rondo: the password of '\(name)' is changed")
            }
        }
    }

    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token for a user; it is shown once.",
            discussion: """
                Prints the token alone. Whoever has it is that user, until it ends or is revoked.

                  rondo user token spark --lifetime 30d
                """)

        @Argument(help: "The name.") var name: String
        @Option(help: ArgumentHelp("How long it works. (default: until it is revoked)", valueName: "time"))
        var lifetime: String?
        @Option(help: "What the token is for.") var description: String?
        @Option(help: ArgumentHelp("Revoke the token with this id instead.", valueName: "id")) var revoke: String?
        @OptionGroup var client: ClientOptions

        private struct Answer: Decodable {
            var token: String
        }

        func run() async throws {
            let path = "/rondo/v1/users/\(PathText.escaped(name))/tokens"
            if let revoke {
                try await client.withClient { client in
                    _ = try await client.request(.delete, "\(path)/\(PathText.escaped(revoke))")
                    Console.out("rondo: the token is revoked")
                }
                return
            }
            var body: [String: JSONValue] = [:]
            if let lifetime {
                guard let time = Duration(text: lifetime) else {
                    throw ValidationError("--lifetime must be a time with a unit, such as 12h or 30d")
                }
                body["lifetimeSeconds"] = .number(Double(time.components.seconds))
            }
            if let description { body["description"] = .text(description) }
            let document = JSONValue.object(body)
            try await client.withClient { client in
                let bytes = try await client.request(.post, path, body: document)
                Console.out(
                    client.isJSON
                        ? String(decoding: bytes, as: UTF8.self)
                        : try JSONDecoder().decode(Answer.self, from: Data(bytes)).token)
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a user; what the user started goes on.",
            discussion: "rondo user rm alice")

        @Argument(help: "The name.") var name: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                _ = try await client.request(.delete, "/rondo/v1/users/\(PathText.escaped(name))")
                Console.out("rondo: the user '\(name)' is removed")
            }
        }
    }

    static func contents(_ path: String) throws -> String {
        do throws(SystemError) { return String(decoding: try readFile(path, limit: 64 << 10), as: UTF8.self) } catch {
            throw ApplianceError(.usage, "cannot read the key: \(error)")
        }
    }
}

/// `GET /rondo/v1/users`.
struct UsersDocument: Decodable {
    struct User: Decodable {
        var name: String
        var kind: String
        var description: String?
        var roles: [String]
        var rules: [String]
        var hasPassword: Bool
        var hasKey: Bool
        var tokens: Int
    }

    var users: [User]
}

/// `rondo audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Who changed what, and who was refused.",
        discussion: "rondo audit tail --follow",
        subcommands: [Tail.self])

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the end of the audit log.",
            discussion: """
                One line for each: when, who, from where, what, to what, and the result. With --output json the lines are
                those of the log.

                  rondo audit tail --lines 20
                  rondo audit tail --work --follow
                """)

        @Option(help: ArgumentHelp("How many lines of the past. (default: 100)", valueName: "number")) var lines = 100
        @Flag(help: "What frameworks do, in place of logins and what people change.") var work = false
        @Flag(help: "Go on printing what is added, until Ctrl-C.") var follow = false
        @OptionGroup var client: ClientOptions

        private struct Entry: Decodable {
            var time: String
            var who: String
            var from: String
            var action: String
            var object: String?
            var result: String
            var reason: String?
        }

        func run() async throws {
            let path = "/rondo/v1/audit?log=\(work ? "work" : "audit")&lines=\(max(lines, 0))&follow=\(follow)"
            try await client.withClient { client in
                try await client.lines(path) { line in
                    if client.isJSON {
                        Console.out(String(decoding: line, as: UTF8.self))
                        return
                    }
                    guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(line)) else { return }
                    let reason = entry.reason.map { " (\($0))" } ?? ""
                    Console.out(
                        TextTable.clean(
                            "\(entry.time)  \(entry.who)  \(entry.from)  \(entry.action)  \(entry.object ?? "-")  "
                                + entry.result + reason))
                }
            }
        }
    }
}
