internal import ClusterModel

/// Which container has which number in the networks. The same number is used in all of them, so that addresses of both
/// families tell the same container.
struct AddressPool: Equatable {
    private let prefixes: [NetworkPrefix]
    private var owners: [UInt32: String] = [:]
    private var last: UInt32 = Self.gateway

    /// The network itself is 0, the host is 1.
    private static let gateway: UInt32 = 1

    init(_ prefixes: [NetworkPrefix]) { self.prefixes = prefixes }

    /// The largest number: in IPv4 the last address of a network is for all of them.
    private var largest: UInt32 {
        let bits = prefixes.map { min(16, $0.address.width - $0.length) }.min() ?? 0
        return bits < 2 ? 1 : UInt32(1) << UInt32(bits) - 2
    }

    /// Notes what a container has already; false when another one has it.
    mutating func take(_ number: UInt32, for container: String) -> Bool {
        guard number > Self.gateway, number <= largest, owners[number] == nil || owners[number] == container
        else { return false }
        owners[number] = container
        last = max(last, number)
        return true
    }

    /// A free number, the one that was free for longest first: what still speaks to the last owner of an address should
    /// not reach the next one. Nil when all are used.
    mutating func allocate(for container: String) -> UInt32? {
        let count = largest - Self.gateway
        guard count > 0 else { return nil }
        for step in 0..<count {
            let number = Self.gateway + 1 + (last - Self.gateway + step) % count
            if owners[number] == nil {
                owners[number] = container
                last = number
                return number
            }
        }
        return nil
    }

    mutating func release(_ number: UInt32) { owners[number] = nil }

    /// The addresses that a number stands for.
    func addresses(_ number: UInt32) -> [NetworkPrefix] { prefixes.map { $0.host(UInt128(number)) } }

    /// How many numbers are given out.
    var count: Int { owners.count }
}
