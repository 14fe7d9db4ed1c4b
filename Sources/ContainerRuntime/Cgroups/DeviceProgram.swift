/// A device list as a program for the kernel's BPF machine (`BPF_PROG_TYPE_CGROUP_DEVICE`), which is what version 2 has
/// in place of the devices controller. Instructions are in the kernel's layout, RFC 9669 §3.
///
/// The list's last word counts, so the program asks from the last entry to the first, and drops the rights that an
/// entry allows from those that are still open: none left allows, one that is denied or left at the end forbids.
struct DeviceProgram: Equatable, Sendable {
    private(set) var instructions: [UInt64] = []

    /// Registers: 0 result, 1 context and then scratch, 2 type, 3 rights still open, 4 major, 5 minor.
    init(_ entries: [DeviceEntry]) {
        emit(.load, to: 2, from: 1, offset: 0)
        emit(.moveRegister, to: 3, from: 2)
        emit(.and, to: 2, value: 0xFFFF)
        emit(.shiftRight, to: 3, value: 16)
        emit(.load, to: 4, from: 1, offset: 4)
        emit(.load, to: 5, from: 1, offset: 8)
        for entry in entries.reversed() where !entry.access.isEmpty {
            append(entry)
            // The kernel refuses programs with instructions that can never be reached.
            if entry.devices.isEverything, entry.access == .all { return }
        }
        finish(false)
    }

    private mutating func append(_ entry: DeviceEntry) {
        var toNext: [Int] = []
        let comparisons: [(register: UInt8, value: UInt32?)] = [
            (2, entry.devices.isBlock.map { $0 ? 1 : 2 }), (4, entry.devices.major), (5, entry.devices.minor),
        ]
        for (register, value) in comparisons {
            guard let value else { continue }
            toNext.append(instructions.count)
            emit(.jumpUnlessEqual, to: register, value: value)
        }
        if entry.access != .all {
            if entry.allow {
                emit(.and, to: 3, value: UInt32(DeviceAccess.all.subtracting(entry.access).rawValue))
                toNext.append(instructions.count)
                emit(.jumpUnlessEqual, to: 3, value: 0)
            } else {
                emit(.moveRegister, to: 1, from: 3)
                emit(.and, to: 1, value: UInt32(entry.access.rawValue))
                toNext.append(instructions.count)
                emit(.jumpIfEqual, to: 1, value: 0)
            }
        }
        finish(entry.allow)
        for index in toNext {
            let distance = UInt64(instructions.count - index - 1)
            instructions[index] |= (distance & 0xFFFF) << 16
        }
    }

    private mutating func finish(_ allow: Bool) {
        emit(.move, to: 0, value: allow ? 1 : 0)
        emit(.exit)
    }

    private enum Operation: UInt64 {
        case load = 0x61
        case and = 0x54
        case shiftRight = 0x74
        case move = 0xB4
        case moveRegister = 0xBC
        case jumpIfEqual = 0x15
        case jumpUnlessEqual = 0x55
        case exit = 0x95
    }

    private mutating func emit(
        _ operation: Operation, to target: UInt8 = 0, from source: UInt8 = 0, offset: UInt16 = 0, value: UInt32 = 0
    ) {
        instructions.append(
            operation.rawValue | UInt64(target) << 8 | UInt64(source) << 12 | UInt64(offset) << 16
                | UInt64(value) << 32)
    }
}
