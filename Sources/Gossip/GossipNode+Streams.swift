internal import Logging
internal import Membership
internal import NIOCore
internal import Transport

extension GossipNode {
    /// Streams that this node has open on its own account.
    private static let outboundLimit = 64

    func listen(_ address: IPAddress, port: UInt16) async throws -> any Channel {
        let (node, gate, limit) = (self, gate, settings.inboundStreams)
        return try await transport.listen(on: .tcp(address, port: port), security: security, clients: .required) {
            channel in
            // Beyond the limit connections wait in the kernel; a few that were accepted before that are let in.
            if gate.enter() >= limit { node.acceptOrWait() }
            channel.closeFuture.whenComplete { _ in
                if gate.leave() == limit - 1 { node.acceptOrWait() }
            }
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(FrameHandler(node: node, stream: gate.number()))
            }
        }
    }

    private nonisolated func acceptOrWait() {
        loop.execute {
            self.assumeIsolated { node in
                // Asked here, because those who call this from other threads may come in any order.
                let accepts = node.gate.count < node.settings.inboundStreams
                for listener in node.listeners {
                    listener.setOption(.autoRead, value: accepts).whenFailure { _ in }
                }
            }
        }
    }

    /// Opens a stream and says one message.
    func startConversation(_ kind: Envelope.Kind, _ body: [UInt8], with endpoint: MemberEndpoint) {
        let number = gate.number()
        tally.streamsOpened += 1
        let deadline = Self.clock() + settings.streamTimeout
        let conversation = Conversation(purpose: .outbound(kind, body), endpoint: endpoint, deadline: deadline)
        guard conversations.count < Self.outboundLimit + settings.inboundStreams else {
            // Not at once: who decided this is still deciding.
            loop.execute { self.assumeIsolated { $0.failed(conversation) } }
            return
        }
        conversations[number] = conversation
        Task { await self.connect(number, to: endpoint) }
    }

    private func connect(_ number: UInt64, to endpoint: MemberEndpoint) async {
        do {
            let node = self
            let timeout = settings.membership.probeInterval + .seconds(2)
            _ = try await transport.connect(
                to: .tcp(endpoint.address, port: endpoint.port), security: security, timeout: timeout
            ) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameHandler(node: node, stream: number))
                }
            }
        } catch {
            let reason = TransportError.reason(for: error)
            logger.debug("no gossip stream to \(endpoint.text): \(reason)")
            streamClosed(number)
        }
    }

    func streamOpened(_ number: UInt64, _ channel: any Channel) {
        if conversations[number] != nil {
            conversations[number]?.channel = channel
            return
        }
        guard !isPaused else { return channel.close(promise: nil) }
        let endpoint = channel.remoteAddress?.memberEndpoint
        let deadline = Self.clock() + settings.strangerTimeout
        var conversation = Conversation(purpose: .inbound, endpoint: endpoint, deadline: deadline)
        conversation.channel = channel
        // An outbound stream that was given up meanwhile is an inbound one without a greeting to wait for: both end.
        guard let greeting = StreamMessage.seal(.greeting, for: 0, [], with: &seal) else {
            return channel.close(promise: nil)
        }
        conversations[number] = conversation
        write(greeting.bytes, to: channel)
    }

    private func write(_ bytes: [UInt8], to channel: any Channel, thenCloses: Bool = false) {
        tally.streamBytes += bytes.count
        let written = channel.writeAndFlush(ByteBuffer(bytes: bytes))
        if thenCloses { written.whenComplete { _ in channel.close(promise: nil) } }
    }

    func streamReceived(_ frame: [UInt8], _ number: UInt64) {
        guard let conversation = conversations[number] else { return }
        tally.streamBytes += frame.count + StreamMessage.prefixSize
        do throws(PacketRefusal) {
            let opened = try seal.open(frame, limit: StreamMessage.frameLimit)
            renewLifeIfNeeded()
            switch conversation.purpose {
            case .outbound(let kind, let body): try continued(number, kind, body, opened)
            case .inbound: try asked(number, opened)
            }
        } catch {
            streamRefused(error, number)
        }
    }

    /// The one who was called says something: first its greeting, then, when it was asked, its answer.
    private func continued(
        _ number: UInt64, _ kind: Envelope.Kind, _ body: [UInt8], _ opened: Seal.Opened
    ) throws(PacketRefusal) {
        guard let channel = conversations[number]?.channel else { return }
        guard let asked = conversations[number]?.asked else {
            guard opened.header.kind == .greeting else { throw .unknownKind(opened.header.kind.rawValue) }
            let beginning = kind == .step ? StreamMessage.naming(0, body) : body
            let request = StreamMessage.seal(kind, for: opened.header.sender, beginning, with: &seal)
            guard let request else { throw .oversized }
            conversations[number]?.asked = request.firstCounter
            if kind == .messages { conversations[number] = nil }
            return write(request.bytes, to: channel, thenCloses: kind == .messages)
        }
        lastHeard = Self.clock()
        if kind == .step { return try stepped(number, opened) }
        let message = try take(opened, number, .answer)
        guard let message, let endpoint = conversations[number]?.endpoint else { return }
        guard message.body.count >= 8, message.body.integer(at: 0) == asked,
            let state = try? MemberCoding.state(from: Array(message.body[8...]))
        else { throw .malformed }
        conversations[number] = nil
        channel.close(promise: nil)
        handle(.state(state, from: endpoint, exchange: nil))
    }

    /// The one who called says what it came for.
    private func asked(_ number: UInt64, _ opened: Seal.Opened) throws(PacketRefusal) {
        let isFirst = conversations[number]?.message.kind == nil
        let kind = opened.header.kind
        guard kind == .state || kind == .messages || kind == .step, let endpoint = conversations[number]?.endpoint
        else {
            throw .unknownKind(kind.rawValue)
        }
        if isFirst, conversations[number]?.heard == nil {
            conversations[number]?.deadline = Self.clock() + settings.streamTimeout
            tally.streamsAccepted += 1
        }
        lastHeard = Self.clock()
        if kind == .step { return try stepped(number, opened) }
        guard let message = try take(opened, number, kind) else { return }
        if kind == .state {
            guard let state = try? MemberCoding.state(from: message.body) else { throw .malformed }
            handle(.state(state, from: endpoint, exchange: number))
        } else {
            guard let messages = try? MemberCoding.packet(from: message.body) else { throw .malformed }
            conversations.removeValue(forKey: number)?.channel?.close(promise: nil)
            handle(.packet(messages, from: endpoint))
        }
    }

    /// Adds a part; gives the message when it is whole.
    private func take(
        _ opened: Seal.Opened, _ number: UInt64, _ kind: Envelope.Kind
    ) throws(PacketRefusal) -> StreamMessage? {
        guard var message = conversations[number]?.message else { return nil }
        guard opened.header.kind == kind else { throw .unknownKind(opened.header.kind.rawValue) }
        // The bytes are moved, not copied, into the longer message.
        conversations[number]?.message = StreamMessage()
        try message.take(opened)
        conversations[number]?.message = message
        return message.isComplete ? message : nil
    }

    func answer(_ state: StateExchange, conversation number: UInt64) {
        guard let conversation = conversations.removeValue(forKey: number), let channel = conversation.channel else {
            return
        }
        let body = StreamMessage.naming(conversation.message.firstCounter, MemberCoding.encode(state: state))
        let answer = StreamMessage.seal(.answer, for: conversation.message.sender, body, with: &seal)
        guard let answer else { return channel.close(promise: nil) }
        write(answer.bytes, to: channel, thenCloses: true)
    }

    /// The other side says its step of an exchange, which has to fit to the one before.
    private func stepped(_ number: UInt64, _ opened: Seal.Opened) throws(PacketRefusal) {
        guard let message = try take(opened, number, .step), let conversation = conversations[number],
            let endpoint = conversation.endpoint
        else { return }
        guard message.body.count >= 8, message.body.integer(at: 0) == conversation.asked ?? 0,
            conversation.heard.map({ $0.life == message.sender }) ?? true,
            let step = try? MemberCoding.step(from: Array(message.body[8...])), conversation.expects(step)
        else { throw .malformed }
        conversations[number]?.message = StreamMessage()
        conversations[number]?.heard = (message.firstCounter, message.sender)
        if step.isLast {
            conversations[number] = nil
            conversation.channel?.close(promise: nil)
        }
        handle(.step(step, from: endpoint, exchange: number))
    }

    func say(_ step: ExchangeStep, conversation number: UInt64) {
        guard let conversation = conversations[number], let channel = conversation.channel,
            let (counter, life) = conversation.heard
        else { return }
        let body = StreamMessage.naming(counter, MemberCoding.encode(step: step))
        guard let said = StreamMessage.seal(.step, for: life, body, with: &seal) else { return streamClosed(number) }
        conversations[number]?.asked = said.firstCounter
        if step.isLast { conversations[number] = nil }
        write(said.bytes, to: channel, thenCloses: step.isLast)
    }

    func streamRefused(_ refusal: PacketRefusal, _ number: UInt64) {
        refuse(refusal, from: conversations[number]?.endpoint)
        streamClosed(number)
    }

    /// A stream is over, whoever ended it.
    func streamClosed(_ number: UInt64) {
        guard let conversation = conversations.removeValue(forKey: number) else { return }
        conversation.channel?.close(promise: nil)
        failed(conversation)
    }

    private func failed(_ conversation: Conversation) {
        guard case .outbound(let kind, _) = conversation.purpose else { return }
        tally.streamsFailed += 1
        if kind == .state || kind == .step, let endpoint = conversation.endpoint { handle(.exchangeFailed(endpoint)) }
    }

    func endOldConversations() {
        let now = Self.clock()
        for (number, conversation) in conversations where conversation.deadline < now { streamClosed(number) }
    }
}
