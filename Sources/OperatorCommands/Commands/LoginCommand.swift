internal import Appliance
internal import ArgumentParser
internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import LinuxSystem
internal import MasterNode
internal import NIOCore
internal import Synchronization
internal import Transport

/// `rondo login`.
struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Get to know a cluster, log in, and use it from now on.",
        discussion: """
            The first time, the cluster has to be known by something that came another way: the pin that `rondo cluster
            init` prints, or the file authority.crt of a master. Nothing is sent before it fits. A password is asked for,
            or read from standard input.

              rondo login 10.0.0.1:5050 --pin V1…Xk --user admin
              rondo login 10.0.0.1:5050 --authority authority.crt --token TOKEN
              rondo login                       again, to the cluster in use
            """)

    @Argument(help: ArgumentHelp("A master, ADDRESS or ADDRESS:PORT.", valueName: "address")) var address: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("The pin of the cluster's authority.", valueName: "pin"))
    var pin: String?
    @Option(help: ArgumentHelp("The file with the certificate of the cluster's authority.", valueName: "file"))
    var authority: String?
    @Option(help: ArgumentHelp("Who logs in.", valueName: "name")) var user: String?
    @Option(help: ArgumentHelp("A token in place of a password; better in RONDO_TOKEN.", valueName: "token"))
    var token: String?
    @Option(help: ArgumentHelp("What to call the cluster here. (default: its own name)", valueName: "name"))
    var name: String?
    @OptionGroup var file: ConfigOption

    func run() async throws {
        let configuration = try file.load([.token: token])
        var known = try Contexts.load()
        let endpoint = try endpoint(known)
        let before = known.contexts.first { $0.address == "\(endpoint)" }
        let trusted = Trusted(try expectation(before))
        let security = try TransportSecurity(identity: nil, judge: trusted.judge)
        let transport = Transport(threads: 1)
        let caller = HTTPCaller(transport: transport, security: security)
        let result: Result<ClusterContext, any Error>
        do {
            result = .success(try await logIn(endpoint, caller, trusted, configuration, before))
        } catch { result = .failure(error) }
        await caller.shutDown()
        await transport.shutDown()
        let context = try result.get()
        if let before, before.name != context.name { known.contexts.removeAll { $0.name == before.name } }
        known.put(context)
        known.current = context.name
        try known.save()
        Console.out("rondo: logged in to '\(context.name)' as \(context.user ?? "the holder of the token")")
    }

    private func endpoint(_ known: Contexts) throws -> Endpoint {
        guard let address else {
            guard let current = known.inUse else {
                throw ApplianceError(.usage, "name the master: rondo login ADDRESS:PORT --pin PIN")
            }
            return try Endpoint(parsing: current.address)
        }
        do throws(EndpointError) {
            if let ip = try? IPAddress(parsing: address) { return .tcp(ip, port: 5_050) }
            return try Endpoint(parsing: address)
        } catch { throw ApplianceError(.usage, "the master's address cannot be used: \(error)") }
    }

    /// What the master must show.
    private func expectation(_ before: ClusterContext?) throws -> Trusted.Expectation {
        if let authority {
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try readFile(authority, limit: 64 << 10) } catch {
                throw ApplianceError(.usage, "cannot read the authority: \(error)")
            }
            return .authority(try AuthorityCertificate(pem: bytes))
        }
        if let pin { return .pin(pin) }
        if let pem = before?.authority { return .authority(try AuthorityCertificate(pem: Array(pem.utf8))) }
        throw ApplianceError(
            .usage,
            "this cluster is not known yet; add --pin PIN (from `rondo cluster init`) or --authority FILE (authority.crt "
                + "in a master's data directory), so that the password goes to the right one")
    }

    private struct Session: Decodable {
        var token: String
    }

    private struct Cluster: Decodable {
        var name: String
    }

    private func logIn(
        _ endpoint: Endpoint, _ caller: HTTPCaller, _ trusted: Trusted, _ configuration: Configuration,
        _ before: ClusterContext?
    ) async throws -> ClusterContext {
        var credential = configuration.text(.token)
        if credential == nil {
            guard let name = user ?? before?.user else {
                throw ApplianceError(.usage, "say who logs in with --user NAME, or give a token with --token")
            }
            // Nobody types a password for a master that turns out to be another one.
            _ = try await caller.call(.get, endpoint, "/version")
            let password = try Password.read("password of \(name): ")
            let body = JSONValue.object(["uid": .text(name), "password": .text(password)])
            let answer = try await caller.call(
                .post, endpoint, "/acs/api/v1/auth/login", headers: [.contentType: "application/json"],
                body: ByteBuffer(bytes: try body.encoded()))
            let bytes = [UInt8](answer.bytes.readableBytesView)
            guard answer.status.code == 200 else { throw ClusterClient.refusal(answer.status.code, bytes) }
            credential = try JSONDecoder().decode(Session.self, from: Data(bytes)).token
        }
        let token = credential ?? ""
        let answer = try await caller.call(
            .get, endpoint, "/rondo/v1/cluster", headers: [.authorization: "token=\(token)"])
        let bytes = [UInt8](answer.bytes.readableBytesView)
        guard answer.status.code == 200 else { throw ClusterClient.refusal(answer.status.code, bytes) }
        let cluster = try JSONDecoder().decode(Cluster.self, from: Data(bytes))
        return ClusterContext(
            name: name ?? before?.name ?? cluster.name, address: "\(endpoint)",
            authority: trusted.authority.map { String(decoding: $0.pem, as: UTF8.self) }, token: token,
            user: user ?? (configuration.isSet(.token) ? nil : before?.user))
    }
}

/// Remembers the authority that a master showed and that was found right.
private final class Trusted: Sendable {
    enum Expectation: Sendable {
        case pin(String)
        case authority(AuthorityCertificate)
    }

    private let expectation: Expectation
    private let found = Mutex<AuthorityCertificate?>(nil)

    init(_ expectation: Expectation) { self.expectation = expectation }

    var authority: AuthorityCertificate? { found.withLock { $0 } }

    var judge: PeerJudge {
        { chain in
            let now = SystemClock().now().wall
            do throws(IdentityError) {
                let authority: AuthorityCertificate
                switch self.expectation {
                case .pin(let pin): authority = try PinCheck.check(chain, pin: pin, now: now).authority
                case .authority(let known):
                    _ = try PeerVerifier(authority: known).master(chain, now: now)
                    authority = known
                }
                self.found.withLock { $0 = authority }
                return nil
            } catch { return error.description }
        }
    }
}

/// Reads a password without showing it.
enum Password {
    /// From the terminal without echo, or the first line of standard input.
    static func read(_ prompt: String) throws -> String {
        var before = termios()
        let isTerminal = tcgetattr(STDIN_FILENO, &before) == 0
        if isTerminal {
            Console.write(bytes: Array(prompt.utf8), to: STDERR_FILENO)
            var silent = before
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        }
        defer {
            if isTerminal {
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
                Console.write(bytes: [10], to: STDERR_FILENO)
            }
        }
        guard let line = readLine(strippingNewline: true), !line.isEmpty, line.utf8.count <= 1_024 else {
            throw ApplianceError(.usage, "no password was given; type it, or send it to standard input")
        }
        return line
    }
}
