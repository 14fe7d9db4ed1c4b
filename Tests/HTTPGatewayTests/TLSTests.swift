import Crypto
import HTTPGateway
import HTTPTypes
import NIOCore
import NIOSSL
import Synchronization
import Testing
import Transport

@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    @Test func `both sides see whose certificate the other has`() async throws {
        try await SecureLoopback.run(handler: whoami) { loopback in
            let known = try await loopback.caller.call(.get, loopback.endpoint, "/")
            #expect(known.bytes.text == "client")
            let unknown = try await loopback.anonymous.call(.get, loopback.endpoint, "/")
            #expect(unknown.bytes.text == "nobody")
        }
    }

    @Test func `where certificates are ignored nobody is known`() async throws {
        try await SecureLoopback.run(clients: .ignored, handler: whoami) { loopback in
            let answer = try await loopback.caller.call(.get, loopback.endpoint, "/")
            #expect(answer.bytes.text == "nobody")
        }
    }

    @Test func `where a certificate is required nobody comes in without one`() async throws {
        try await SecureLoopback.run(clients: .required, handler: whoami) { loopback in
            let known = try await loopback.caller.call(.get, loopback.endpoint, "/")
            #expect(known.bytes.text == "client")
            let error = await #expect(throws: HTTPCallError.self) {
                try await loopback.anonymous.call(.get, loopback.endpoint, "/")
            }
            #expect(
                error == .unreachable(loopback.endpoint, reason: "the other side asks for a certificate"),
                "\(error as Any)")
        }
    }

    @Test func `a client whose certificate is wrong is refused though none was needed`() async throws {
        let served = Mutex(0)
        try await SecureLoopback.run(handler: { _ in
            served.withLock { $0 += 1 }
            return .complete(.ok)
        }) { loopback in
            let other = try TestAuthority("another cluster")
            for identity in [try other.issue("client"), try loopback.authority.issue("somebody else")] {
                let security = try TransportSecurity(
                    identity: identity.identity, judge: loopback.authority.judge("server"))
                let caller = HTTPCaller(transport: loopback.transport, security: security)
                let error = await #expect(throws: HTTPCallError.self) {
                    try await caller.call(.get, loopback.endpoint, "/")
                }
                let reason = "the other side refused the certificate of this one"
                #expect(error == .unreachable(loopback.endpoint, reason: reason), "\(error as Any)")
                await caller.shutDown()
            }
            #expect(served.withLock { $0 } == 0)
        }
    }

    @Test func `a server that is not the one meant gets no byte, and the judge's reason is told`() async throws {
        let served = Mutex(0)
        try await SecureLoopback.run(handler: { _ in
            served.withLock { $0 += 1 }
            return .complete(.ok)
        }) { loopback in
            let security = try TransportSecurity(identity: nil, judge: loopback.authority.judge("master"))
            let caller = HTTPCaller(transport: loopback.transport, security: security)
            let untrusted = HTTPCallError.untrusted(loopback.endpoint, reason: "it is not that of master")
            await #expect(throws: untrusted) { try await caller.call(.get, loopback.endpoint, "/") }
            await #expect(throws: untrusted) { try await caller.stream(.get, loopback.endpoint, "/") }
            await #expect(throws: untrusted) {
                try await caller.duplex(.post, loopback.endpoint, "/", body: GatewayBody())
            }
            #expect("\(untrusted)" == "\(loopback.endpoint) is not trusted: it is not that of master")
            #expect(served.withLock { $0 } == 0)
            await caller.shutDown()
        }
    }

    @Test func `an identity is replaced under load and no call fails`() async throws {
        try await SecureLoopback.run { loopback in
            let names = Mutex<Set<String>>([])
            let trust = loopback.authority.judge("server", "server 2")
            let watching = try TransportSecurity(identity: nil) { chain in
                names.withLock { _ = $0.insert(TestIdentity.name(of: chain) ?? "") }
                return trust(chain)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<25 {
                            // A caller of its own each time, so that each call makes a connection.
                            let caller = HTTPCaller(transport: loopback.transport, security: watching)
                            let answer = try await caller.call(.get, loopback.endpoint, "/ping")
                            #expect(answer.status == .ok)
                            await caller.shutDown()
                        }
                    }
                }
                for number in 0..<20 {
                    let next = try loopback.authority.issue(number.isMultiple(of: 2) ? "server 2" : "server")
                    try loopback.security.replace(identity: next.identity)
                    try await loopback.expectAlive()
                }
                try await group.waitForAll()
            }
            try loopback.security.replace(identity: loopback.authority.issue("server 2").identity)
            let caller = HTTPCaller(transport: loopback.transport, security: watching)
            _ = try await caller.call(.get, loopback.endpoint, "/ping")
            await caller.shutDown()
            #expect(names.withLock { $0 } == ["server", "server 2"])
        }
    }

    @Test func `a caller's new identity is shown by its next call`() async throws {
        try await SecureLoopback.run(trusting: { _ in nil }, handler: whoami) { loopback in
            let security = try TransportSecurity(
                identity: loopback.authority.issue("before").identity, judge: loopback.authority.judge("server"))
            let caller = HTTPCaller(transport: loopback.transport, security: security)
            let before = try await caller.call(.get, loopback.endpoint, "/")
            try security.replace(identity: loopback.authority.issue("after").identity)
            let after = try await caller.call(.get, loopback.endpoint, "/")
            #expect([before.bytes.text, after.bytes.text] == ["before", "after"])
            await caller.shutDown()
        }
    }

    @Test func `an identity that cannot be is refused and the old one stays`() async throws {
        try await SecureLoopback.run { loopback in
            let good = try loopback.authority.issue("server 2").identity
            let other = try loopback.authority.issue("server 2").identity
            let bad = [
                TLSIdentity(chain: [], key: good.key), TLSIdentity(chain: [[1, 2, 3]], key: good.key),
                TLSIdentity(chain: good.chain, key: []), TLSIdentity(chain: good.chain, key: other.key),
            ]
            for identity in bad {
                #expect(throws: TransportError.self) { try loopback.security.replace(identity: identity) }
            }
            let error = #expect(throws: TransportError.self) { try loopback.security.replace(identity: bad[3]) }
            #expect(error == .badIdentity(reason: "the key is not that of the certificate"), "\(error as Any)")
            let answer = try await loopback.anonymous.call(.get, loopback.endpoint, "/ping")
            #expect(answer.status == .ok)
        }
    }

    @Test func `a listener without an identity does not start`() async throws {
        let transport = Transport(threads: 1)
        let security = try TransportSecurity(identity: nil) { _ in nil }
        let error = await #expect(throws: TransportError.self) {
            try await HTTPServer.start(
                on: .tcp(.loopback, port: 0), transport: transport, security: security, handler: demo)
        }
        #expect(error == .badIdentity(reason: "a listener needs a certificate"))
        await transport.shutDown()
    }

    @Test func `TLS 1.1 is refused`() async throws {
        try await SecureLoopback.run { loopback in
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            configuration.minimumTLSVersion = .tlsv1
            configuration.maximumTLSVersion = .tlsv11
            let context = try NIOSSLContext(configuration: configuration)
            let failure = Signal<String>()
            let channel = try await loopback.transport.connect(to: loopback.endpoint, timeout: .seconds(5)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(context: context, serverHostname: nil)
                    try channel.pipeline.syncOperations.addHandlers(handler, FirstError(failure))
                }
            }
            channel.read()
            #expect(await failure.wait().contains("PROTOCOL_VERSION"))
            try? await channel.closeFuture.get()
            try await loopback.expectAlive()
        }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\u{0}\u{1}\u{2}", "SSH-2.0-x\r\n"])
    func `who does not speak TLS is told so`(bytes: String) async throws {
        try await SecureLoopback.run { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send(bytes)
            let answer = try #require(await client.readToEnd())
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.hasSuffix("\r\n\r\nthis port speaks TLS: use https://\n"))
            try await loopback.expectAlive()
        }
    }

    @Test func `a port that does not speak TLS is named so`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let caller = HTTPCaller(
                transport: loopback.transport, security: try TransportSecurity(identity: nil) { _ in nil })
            let error = await #expect(throws: HTTPCallError.self) {
                try await caller.call(.get, loopback.server.endpoint, "/")
            }
            let reason = "the other side does not speak TLS"
            #expect(error == .unreachable(loopback.server.endpoint, reason: reason), "\(error as Any)")
            await caller.shutDown()
        }
    }

    @Test(arguments: [[], [22], [22, 3, 1, 2, 0]] as [[UInt8]])
    func `a handshake that does not go on is cut`(start: [UInt8]) async throws {
        try await SecureLoopback.run(handshakeTimeout: .milliseconds(100)) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send(start)
            #expect(await client.readToEnd() != nil)
        }
    }

    @Test func `a server that does not go on with the handshake is given up`() async throws {
        let transport = Transport(threads: 1, handshakeTimeout: .milliseconds(100))
        let listener = try await transport.listen(on: .tcp(.loopback, port: 0)) {
            $0.eventLoop.makeSucceededVoidFuture()
        }
        let endpoint = try #require(Transport.localEndpoint(of: listener))
        let caller = HTTPCaller(transport: transport, security: try TransportSecurity(identity: nil) { _ in nil })
        let error = await #expect(throws: HTTPCallError.self) { try await caller.call(.get, endpoint, "/") }
        #expect(error == .unreachable(endpoint, reason: "the TLS handshake took too long"), "\(error as Any)")
        await caller.shutDown()
        try await listener.close()
        await transport.shutDown()
    }

    @Test func `a unix socket stays plain`() async throws {
        let path = "/tmp/rondo-test-\(UInt64.random(in: 0 ..< .max)).sock"
        defer { removeFile(path) }
        let authority = try TestAuthority()
        let transport = Transport(threads: 1)
        let security = try TransportSecurity(identity: authority.issue("server").identity) { _ in "nobody is trusted" }
        let server = try await HTTPServer.start(
            on: Endpoint(unixPath: path), transport: transport, security: security, clients: .required, handler: demo)
        let caller = HTTPCaller(transport: transport, security: security)
        let answer = try await caller.call(.get, server.endpoint, "/ping")
        #expect(answer.bytes.text == "pong\n")
        await caller.shutDown()
        await server.stop(grace: .zero)
        await transport.shutDown()
    }

    @Test(.enabled(if: ChildProcess.exists("openssl"))) func `a resumed session is judged again`() async throws {
        let judged = Mutex(0)
        let trusted = Mutex(true)
        let judge: PeerJudge = { _ in
            judged.withLock { $0 += 1 }
            return trusted.withLock { $0 } ? nil : "not any more"
        }
        try await SecureLoopback.run(trusting: judge, handler: whoami) { loopback in
            let files = "/tmp/rondo-test-\(UInt64.random(in: 0 ..< .max))"
            defer { for end in [".crt", ".key", ".session"] { removeFile(files + end) } }
            let client = try loopback.authority.issue("client")
            writeFile(files + ".crt", try client.certificatePEM)
            writeFile(files + ".key", client.key.pemRepresentation)
            let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            let arguments = [
                "openssl", "s_client", "-connect", "\(loopback.endpoint)", "-cert", files + ".crt", "-key",
                files + ".key", "-ign_eof",
            ]
            let first = try await ChildProcess.run(arguments + ["-sess_out", files + ".session"], input: request)
            #expect(first.output.contains("\r\n\r\nclient"), "\(first.output)")
            let second = try await ChildProcess.run(arguments + ["-sess_in", files + ".session"], input: request)
            #expect(second.output.contains("Reused, "))
            #expect(second.output.contains("\r\n\r\nclient"), "\(second.output)")
            #expect(judged.withLock { $0 } == 2)
            trusted.withLock { $0 = false }
            let third = try await ChildProcess.run(arguments + ["-sess_in", files + ".session"], input: request)
            #expect(!third.output.contains("HTTP/1.1"))
            #expect(judged.withLock { $0 } == 3)
        }
    }
}

/// Reports the first error of a connection.
private final class FirstError: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let signal: Signal<String>

    init(_ signal: Signal<String>) { self.signal = signal }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        signal.send("\(error)")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { signal.send("closed") }
}
