internal import Glibc
internal import Membership
internal import NIOCore
internal import NIOPosix
internal import Transport

/// One bound datagram socket, on the event loop of its node.
struct PacketSocket: Sendable {
    let channel: any Channel
    /// Takes IPv4 addresses in the form of IPv6.
    let isDual: Bool
    /// The only family that it carries, when it is not dual.
    let isIPv6: Bool
    /// Where it is bound.
    let address: IPAddress

    /// Whether packets to that address can leave through it.
    func carries(_ endpoint: MemberEndpoint) -> Bool { isDual || isIPv6 == endpoint.isIPv6 }

    func write(_ bytes: [UInt8], to address: SocketAddress) {
        let envelope = AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: bytes))
        channel.write(envelope, promise: nil)
    }

    /// Whether it still is a socket: NIO closes one whose packet the kernel does not take, for instance while the
    /// machine has no address or no route.
    var isAlive: Bool { channel.isActive }

    /// Binds for packets of one node alone.
    static func bind(
        _ address: IPAddress, port: UInt16, to node: GossipNode
    ) async throws -> PacketSocket {
        let socketAddress = try SocketAddress(ipAddress: address.description, port: Int(port))
        let channel = try await bootstrap(on: node.loop) { bytes, sender in
            node.assumeIsolated { $0.received(bytes, from: sender) }
        } done: {
            node.assumeIsolated { $0.flush() }
        }
        .bind(to: socketAddress).get()
        // A socket of IPv6 is of both families here; bound to one address it cannot send to the other family.
        return PacketSocket(
            channel: channel, isDual: address == .v6("::"), isIPv6: socketAddress.protocol == .inet6, address: address)
    }

    /// Binds for calls, on a port that all nodes of this machine share.
    static func bindShared(isIPv6: Bool, port: UInt16, to node: GossipNode) async throws -> PacketSocket {
        var bootstrap = bootstrap(on: node.loop) { bytes, sender in
            node.assumeIsolated { $0.heard(bytes, from: sender) }
        } done: {
        }
        .channelOption(.socketOption(.so_reuseaddr), value: 1)
        .channelOption(.socketOption(.so_broadcast), value: 1)
        if isIPv6 { bootstrap = bootstrap.channelOption(.socket(IPPROTO_IPV6, IPV6_V6ONLY), value: 1) }
        let address: IPAddress = isIPv6 ? .v6("::") : .v4("0.0.0.0")
        let socketAddress = try SocketAddress(ipAddress: address.description, port: Int(port))
        return PacketSocket(
            channel: try await bootstrap.bind(to: socketAddress).get(), isDual: false, isIPv6: isIPv6, address: address)
    }

    private static func bootstrap(
        on loop: any EventLoop, received: @escaping @Sendable ([UInt8], MemberEndpoint) -> Void,
        done: @escaping @Sendable () -> Void
    ) -> DatagramBootstrap {
        // Several packets for one system call, each with its share of the buffer.
        let count = 8
        return DatagramBootstrap(group: loop)
            .channelOption(.datagramVectorReadMessageCount, value: count)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: count * Envelope.datagramLimit)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PacketHandler(received: received, done: done))
                }
            }
    }
}

/// Hands datagrams over.
private final class PacketHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let received: @Sendable ([UInt8], MemberEndpoint) -> Void
    private let done: @Sendable () -> Void

    init(received: @escaping @Sendable ([UInt8], MemberEndpoint) -> Void, done: @escaping @Sendable () -> Void) {
        self.received = received
        self.done = done
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = Self.unwrapInboundIn(data)
        guard let sender = envelope.remoteAddress.memberEndpoint else { return }
        received(Array(envelope.data.readableBytesView), sender)
    }

    func channelReadComplete(context: ChannelHandlerContext) { done() }

    /// A datagram socket hears of earlier packets that could not be delivered; probing finds that out by itself.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
