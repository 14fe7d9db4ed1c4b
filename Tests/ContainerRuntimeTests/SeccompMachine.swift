import CSeccomp
import Testing

@testable import ContainerRuntime

/// What the kernel shows to a filter, `struct seccomp_data`.
struct SyscallData {
    static let x86_64: UInt32 = 0xc000_003e
    static let i386: UInt32 = 0x4000_0003
    static let x32Bit: UInt32 = 0x4000_0000

    var number: UInt32
    var architecture: UInt32 = x86_64
    var arguments: [UInt64] = [0, 0, 0, 0, 0, 0]

    func word(at offset: UInt32) -> UInt32? {
        switch offset {
        case 0: return number
        case 4: return architecture
        case 16..<64 where offset % 4 == 0:
            let argument = arguments[Int(offset - 16) / 8]
            return UInt32(truncatingIfNeeded: offset % 8 == 0 ? argument : argument >> 32)
        default: return nil
        }
    }
}

/// The kernel's classic BPF, as far as filters use it; checks on the way what the kernel checks when it loads one.
struct SeccompMachine {
    struct Fault: Error { var text: String }

    private var code: [(code: UInt16, ifTrue: Int, ifFalse: Int, operand: UInt32)] = []

    init(_ program: SeccompProgram) {
        let bytes = program.bytes
        for start in stride(from: 0, to: bytes.count, by: 8) {
            let operand = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + 4 + $1]) << UInt32(8 * $1) }
            code.append(
                (
                    UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8, Int(bytes[start + 2]),
                    Int(bytes[start + 3]), operand
                ))
        }
    }

    var count: Int { code.count }

    /// What the filter returns for a call.
    func run(_ data: SyscallData) throws -> UInt32 {
        var accumulator: UInt32 = 0
        var at = 0
        while true {
            guard code.indices.contains(at) else { throw Fault(text: "ran off the program at \(at)") }
            let (code, ifTrue, ifFalse, operand) = code[at]
            at += 1
            switch code {
            case 0x20:
                guard let word = data.word(at: operand) else { throw Fault(text: "load of \(operand)") }
                accumulator = word
            case 0x54: accumulator &= operand
            case 0x05: at += Int(operand)
            case 0x15: at += accumulator == operand ? ifTrue : ifFalse
            case 0x25: at += accumulator > operand ? ifTrue : ifFalse
            case 0x35: at += accumulator >= operand ? ifTrue : ifFalse
            case 0x45: at += accumulator & operand != 0 ? ifTrue : ifFalse
            case 0x06: return operand
            default: throw Fault(text: "instruction \(code) at \(at - 1)")
            }
        }
    }
}

enum Answer {
    static let allow: UInt32 = 0x7fff_0000
    static let log: UInt32 = 0x7ffc_0000
    static let notify: UInt32 = 0x7fc0_0000
    static let trap: UInt32 = 0x0003_0000
    static let killThread: UInt32 = 0
    static let killProcess: UInt32 = 0x8000_0000
    static let noSuchCall = errno(38)
    static let refused = errno(1)

    static func errno(_ code: UInt32) -> UInt32 { 0x0005_0000 | code }
    static func trace(_ code: UInt32) -> UInt32 { 0x7ff0_0000 | code }
}

extension SeccompConfig {
    /// A profile with one rule more.
    func rule(
        _ names: [String], _ action: String, errnoRet: UInt32? = nil, _ args: [SeccompRule.Argument] = []
    ) -> SeccompConfig {
        var config = self
        config.syscalls.append(SeccompRule(names: names, action: action, errnoRet: errnoRet, args: args))
        return config
    }

    func machine() throws -> SeccompMachine {
        SeccompMachine(try SeccompProgram.compile(self, warn: { _ in }))
    }

    /// What compiling says beside the program.
    func messages() throws -> [String] {
        var messages: [String] = []
        _ = try SeccompProgram.compile(self, warn: { messages.append($0) })
        return messages
    }

    /// Why the profile is refused; nil when it is not.
    func refusal() -> String? {
        do {
            _ = try SeccompProgram.compile(self, warn: { _ in })
            return nil
        } catch {
            return error.message
        }
    }
}

/// The number of a call; x86-64 unless another architecture is named.
func number(_ name: String, _ architecture: String = "x86_64") throws -> UInt32 {
    try #require(known(name, architecture))
}

/// nil when the architecture has no such call of its own.
func known(_ name: String, _ architecture: String) -> UInt32? {
    var number: Int32 = 0
    guard cseccomp_number(cseccomp_architecture(architecture), name, &number) != 0 else { return nil }
    return UInt32(exactly: number)
}
