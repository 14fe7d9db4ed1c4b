/// Which faults a simulation injects and how often.
public struct Faults: Sendable {
    /// Of a thousand calls, how many are lost; the caller sees a failure.
    public var callLossPerMille = 0
    /// Of a thousand calls, how many arrive twice.
    public var callRepeatPerMille = 0
    /// Of a thousand stream events, how many break the stream.
    public var streamBreakPerMille = 0
    /// The longest delay of a message.
    public var delayMax: Int64 = 20
    /// How often a random party is killed, on average; never when nil.
    public var crashEvery: Duration?

    /// A quiet network.
    public static let none = Faults()

    public init() {}

    /// Rates drawn from a seed, so that some runs are nearly quiet and some are rough.
    public static func drawn(using random: inout SeededGenerator) -> Faults {
        var faults = Faults()
        faults.callLossPerMille = Int(random.next() % 60)
        faults.callRepeatPerMille = Int(random.next() % 60)
        faults.streamBreakPerMille = Int(random.next() % 12)
        faults.delayMax = [5, 50, 500, 3_000][Int(random.next() % 4)]
        faults.crashEvery = random.chance(850) ? random.milliseconds(3_000...60_000) : nil
        return faults
    }
}
