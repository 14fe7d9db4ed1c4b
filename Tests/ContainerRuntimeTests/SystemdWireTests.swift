import Testing

@testable import ContainerRuntime

/// Messages of D-Bus: what is written, what is read, and what is refused.
struct SystemdWireTests {
    private static let signature = "ssa(sv)a(sa(sv))"

    @Test func `a body is written byte for byte as by another library, in both byte orders`() throws {
        for (sample, isBig) in [(SystemdSamples.little, false), (SystemdSamples.big, true)] {
            let message = BusMessage(serial: 7, [(.member, "X")], body: SystemdSamples.body, isBig: isBig)
            #expect(message[.signature] == Self.signature)
            #expect(Array(message.bytes.suffix(416)) == Array(sample.suffix(416)))
        }
    }

    @Test func `a message of another library is read, in both byte orders`() throws {
        for sample in [SystemdSamples.little, SystemdSamples.big] {
            #expect(try BusMessage.size(sample) == sample.count)
            let message = try BusMessage(sample)
            #expect(message.kind == BusMessage.Kind.call)
            #expect(message.serial == 7)
            #expect(message[.path] == "/org/freedesktop/systemd1")
            #expect(message[.interface] == "org.freedesktop.systemd1.Manager")
            #expect(message[.member] == "StartTransientUnit")
            #expect(message[.destination] == "org.freedesktop.systemd1")
            #expect(try message.values(Self.signature) == SystemdSamples.body)
            #expect(throws: RuntimeFailure.self) { try message.values("ss") }
        }
    }

    @Test func `what is written is read again`() throws {
        var random = Seeded(state: 1)
        for _ in 0..<2_000 {
            let body = (0..<Int.random(in: 0...4, using: &random)).map { _ in Self.value(&random, 0) }
            let message = BusMessage(
                kind: .random(in: 1...4, using: &random), serial: .random(in: 1...(.max), using: &random),
                [(.path, "/a/b"), (.member, "M"), (.errorName, "e.e")], replyTo: .random(in: 1...9, using: &random),
                body: body, isBig: .random(using: &random))
            let bytes = message.bytes
            let read = try BusMessage(bytes)
            #expect(read == message)
            #expect(try read.values(message[.signature]) == body)
        }
    }

    @Test func `damaged messages are refused or read, and never trap`() {
        var random = Seeded(state: 2)
        for round in 0..<20_000 {
            var bytes = round % 2 == 0 ? SystemdSamples.little : SystemdSamples.big
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] =
                    [0, 1, 0xFF, 0x80, UInt8(ascii: "a"), .random(in: 0...255, using: &random)]
                    .randomElement(using: &random) ?? 0
            }
            if round % 5 == 0 { bytes.removeLast(Int.random(in: 0...bytes.count, using: &random)) }
            _ = try? BusMessage.size(bytes)
            guard let message = try? BusMessage(bytes) else { continue }
            _ = try? message.values(message[.signature])
            _ = message.failure
            _ = message.replySerial
        }
    }

    @Test(
        arguments: [
            ("s", [0xFF, 0xFF, 0xFF, 0xFF]), ("s", [1, 0, 0, 0, 65]), ("s", [1, 0, 0, 0, 65, 66]),
            ("s", [1, 0, 0, 0, 0xFF, 0]), ("s", [2, 0, 0, 0, 65, 0, 0]), ("b", [2, 0, 0, 0]), ("u", [1, 0, 0]),
            ("u", [1, 0, 0, 0, 0]), ("yu", [1, 1, 0, 0, 1, 0, 0, 0]), ("as", [0xFF, 0xFF, 0xFF, 0x7F]),
            ("at", [8, 0, 0, 0]),
            ("au", [3, 0, 0, 0, 1, 0, 0]), ("v", [0, 0]), ("v", [1, 97, 0]), ("v", [2, 117, 117, 0]), ("()", []),
            ("a", []),
            ("z", [1]), ("(y", [1]), ("a{sv}", [0, 0, 0, 0, 0, 0, 0, 0]),
        ] as [(String, [UInt8])])
    func `values that break a rule are refused`(signature: String, bytes: [UInt8]) {
        var decoder = BusDecoder(bytes, isBig: false)
        #expect(throws: RuntimeFailure.self) { try decoder.values(signature) }
    }

    @Test func `nesting is bounded`() {
        let deep = String(repeating: "a", count: 200) + "y"
        var decoder = BusDecoder([UInt8](repeating: 0, count: 2_000), isBig: false)
        #expect(throws: RuntimeFailure.self) { try decoder.values(deep) }
        // A variant in a variant, and so on.
        var variants: [UInt8] = []
        for _ in 0..<500 { variants += [1, 118, 0] }
        var nested = BusDecoder(variants, isBig: false)
        #expect(throws: RuntimeFailure.self) { try nested.values("v") }
    }

    @Test func `a header of another protocol, a wrong length and a huge one are refused`() {
        let good = SystemdSamples.little
        for (index, value) in [(0, UInt8(0)), (3, 2), (7, 0x40), (15, 0x40), (4, 0), (8, 0)] {
            var bytes = good
            bytes[index] = value
            #expect(throws: RuntimeFailure.self) { try BusMessage(bytes) }
        }
        #expect(throws: RuntimeFailure.self) { try BusMessage.size(good.prefix(15)) }
    }

    @Test func `an error says its name and its words`() throws {
        let error = BusMessage(
            kind: 3, serial: 1, [(.errorName, "a.b")], replyTo: 2, body: [.string("no"), .bool(true)])
        #expect(try BusMessage(error.bytes).failure?.name == "a.b")
        #expect(try BusMessage(error.bytes).failure?.text == "no")
        let bare = BusMessage(kind: 3, serial: 1, [(.errorName, "a.b")], replyTo: 2)
        #expect(bare.failure?.text == "a.b")
        #expect(throws: RuntimeFailure("it fails: a.b")) { try bare.checked("it fails") }
    }

    private static func value(_ random: inout Seeded, _ depth: Int) -> BusValue {
        switch Int.random(in: 0...(depth > 3 ? 1 : 4), using: &random) {
        case 0:
            let type = Array("ynqbiuxtdh".utf8).randomElement(using: &random) ?? UInt8(ascii: "y")
            let bits = UInt64.random(in: 0...(.max), using: &random)
            if type == UInt8(ascii: "b") { return .bool(bits & 1 == 1) }
            return .fixed(type, bits >> UInt64(64 - 8 * (BusType.size(type) ?? 1)))
        case 1:
            return .text(
                UInt8(ascii: ["s", "o", "g"].randomElement(using: &random) ?? "s"), ["", "a", "äöü", "/a"][depth % 4])
        case 2:
            let element = value(&random, depth + 1)
            return .array(element.signature, Array(repeating: element, count: .random(in: 0...3, using: &random)))
        case 3: return .structure((0...Int.random(in: 0...3, using: &random)).map { _ in value(&random, depth + 1) })
        default: return .variant(value(&random, depth + 1))
        }
    }
}

/// SplitMix64: the same numbers for the same start.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
