internal import Membership
internal import NIOCore
internal import Transport

extension GossipNode {
    /// Binds packets and streams to the same port. For a free port several are tried: the one that is free for streams
    /// may be taken for packets.
    func bind() async throws(GossipError) {
        var failure = ""
        for _ in 0..<(settings.port == 0 ? 16 : 1) {
            do {
                for address in settings.listen { try await bind(address) }
                return
            } catch {
                failure = (error as? TransportError)?.description ?? TransportError.reason(for: error)
                let opened = listeners + sockets.map(\.channel)
                listeners = []
                sockets = []
                port = 0
                for channel in opened { try? await channel.close() }
            }
        }
        throw .cannotListen(failure)
    }

    private func bind(_ address: IPAddress) async throws {
        let wanted = port == 0 ? settings.port : port
        var address = address
        let listener: any Channel
        do {
            listener = try await listen(address, port: wanted)
        } catch {
            // A machine without IPv6: all addresses are those of IPv4 then.
            guard address == .v6("::") else { throw error }
            address = .v4("0.0.0.0")
            listener = try await listen(address, port: wanted)
        }
        listeners.append(listener)
        port = Transport.localEndpoint(of: listener)?.port ?? wanted
        do {
            sockets.append(try await PacketSocket.bind(address, port: port, to: self))
        } catch {
            let reason = TransportError.reason(for: error)
            throw GossipError.cannotListen("cannot bind packets to \(address) port \(port): \(reason)")
        }
    }

    /// Opens sockets anew that have closed under the node's feet. What cannot be bound now is tried again in a second.
    func reviveSockets() {
        guard !isStopped, !isReviving, !(sockets + callers).allSatisfy(\.isAlive) else { return }
        isReviving = true
        Task {
            for index in sockets.indices where !sockets[index].isAlive {
                if let fresh = try? await PacketSocket.bind(sockets[index].address, port: port, to: self) {
                    sockets[index] = fresh
                }
            }
            if let beacon = settings.beacon {
                for index in callers.indices where !callers[index].isAlive {
                    let isIPv6 = callers[index].isIPv6
                    guard let fresh = try? await PacketSocket.bindShared(isIPv6: isIPv6, port: beacon.port, to: self)
                    else { continue }
                    callers[index] = fresh
                    if isIPv6 { groups = [] }
                }
                joinGroups()
            }
            isReviving = false
            if isStopped { for socket in sockets + callers { socket.channel.close(promise: nil) } }
        }
    }

    /// Seals and sends a packet. Who is sent to for the first time refuses it and says hello; then it is sent again.
    func send(_ messages: [GossipMessage], to endpoint: MemberEndpoint) {
        let body = MemberCoding.encode(packet: messages)
        guard body.count + Envelope.overhead <= Envelope.datagramLimit else {
            return startConversation(.messages, body, with: endpoint)
        }
        let life = lives[endpoint] ?? 0
        send(.packet, body, to: endpoint, life: life, mayRepeat: true, isShort: Self.isComparison(messages))
    }

    private func send(
        _ kind: Envelope.Kind, _ body: [UInt8], to endpoint: MemberEndpoint, life: UInt64, mayRepeat: Bool,
        isShort: Bool = false
    ) {
        guard let socket = sockets.first(where: { $0.carries(endpoint) }),
            let address = endpoint.socketAddress(mapped: socket.isDual),
            let sealed = seal.seal(kind, for: life, body, isShort: isShort)
        else { return }
        if kind == .packet {
            // Those whose life is known get it, or have restarted and lost one packet of many.
            let kept = mayRepeat && life == 0 ? body : nil
            sent[Int(sealed.counter % UInt64(sent.count))] =
                SentPacket(counter: sealed.counter, endpoint: endpoint, body: kept)
        }
        tally.packetsSent += 1
        tally.bytesSent += sealed.envelope.count
        socket.write(sealed.envelope, to: address)
    }

    func flush() {
        for socket in sockets { socket.channel.flush() }
    }

    /// Whose table is compared, or who compares, speaks protocol 2 and knows the shorter envelope.
    private static func isComparison(_ messages: [GossipMessage]) -> Bool {
        switch messages.first {
        case .check, .confirm: true
        default: false
        }
    }

    /// Takes in a datagram.
    func received(_ bytes: [UInt8], from sender: MemberEndpoint) {
        tally.packetsReceived += 1
        tally.bytesReceived += bytes.count
        guard !isPaused else { return }
        do throws(PacketRefusal) {
            let opened = try seal.open(bytes)
            renewLifeIfNeeded()
            lastHeard = Self.clock()
            learn(opened.header.sender, at: sender)
            switch opened.header.kind {
            case .packet:
                guard let messages = try? MemberCoding.packet(from: opened.body) else {
                    throw PacketRefusal.malformed
                }
                handle(.packet(messages, from: sender))
            case .hello: greeted(by: opened)
            default: throw PacketRefusal.unknownKind(opened.header.kind.rawValue)
            }
        } catch {
            refuse(error, from: sender)
            if case .notFresh(let life, let counter) = error, hellosLeft > 0, isPacket(bytes) {
                hellosLeft -= 1
                if answersBarely(bytes, to: sender) { return }
                var body: [UInt8] = []
                body.append(integer: counter)
                send(.hello, body, to: sender, life: life, mayRepeat: false)
            }
        }
    }

    /// Answers a lone probe of somebody who does not know this life yet: the answer tells it as a hello would.
    private func answersBarely(_ bytes: [UInt8], to sender: MemberEndpoint) -> Bool {
        guard let opened = seal.glimpse(of: bytes), let messages = try? MemberCoding.packet(from: opened.body),
            let answer = membership.bareAnswer(to: messages)
        else { return false }
        let body = MemberCoding.encode(packet: answer)
        let life = opened.header.sender
        send(.packet, body, to: sender, life: life, mayRepeat: false, isShort: Self.isComparison(answer))
        flush()
        return true
    }

    /// Two who take each other for somebody else must not greet each other for ever.
    private func isPacket(_ bytes: [UInt8]) -> Bool {
        (try? Envelope.Header(reading: bytes))?.kind == .packet
    }

    /// Somebody whom this node sent a packet to has another life than this node believed.
    private func greeted(by opened: Seal.Opened) {
        guard opened.body.count == 8 else { return }
        let counter: UInt64 = opened.body.integer(at: 0)
        let place = Int(counter % UInt64(sent.count))
        guard let packet = sent[place], packet.counter == counter else { return }
        sent[place] = nil
        learn(opened.header.sender, at: packet.endpoint)
        if let body = packet.body {
            send(.packet, body, to: packet.endpoint, life: opened.header.sender, mayRepeat: false)
        }
    }

    private func learn(_ life: UInt64, at endpoint: MemberEndpoint) {
        if lives[endpoint] == life { return }
        if lives.count >= Seal.senderLimit { lives = [:] }
        lives[endpoint] = life
    }

    /// A full table of senders ends this life; see ``Seal``.
    func renewLifeIfNeeded() {
        guard seal.isFull else { return }
        seal.begin(life: Self.newLife())
        sent = Array(repeating: nil, count: sent.count)
    }

    func refuse(_ refusal: PacketRefusal, from sender: MemberEndpoint?) {
        refusals.note(refusal, from: sender, now: Self.clock(), logger: logger)
    }
}
