internal import ClusterModel
internal import Deployments

/// Draws ids. The driver gives it sixteen random bytes, so that no two lives of the framework draw the same; tests give
/// it a seed.
struct IdentifierSource: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64)

    init(seed: (UInt64, UInt64)) {
        // The generator stands still at zero.
        state = seed == (0, 0) ? (0x9e37_79b9_7f4a_7c15, 1) : seed
    }

    /// xorshift128+, whose quality is enough for ids of 122 bits that nobody has to guess.
    mutating func next() -> UInt64 {
        var x = state.0
        let y = state.1
        x ^= x << 23
        state = (y, x ^ y ^ (x >> 17) ^ (y >> 26))
        return state.1 &+ y
    }

    mutating func uuid() -> String { StatusUUID(using: &self).text }

    mutating func instance(of service: ServiceID) -> InstanceID {
        InstanceID("\(service.safePath).instance-\(uuid())")
    }
}
