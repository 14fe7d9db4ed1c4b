internal import CSeccomp

/// The numbers of a system call.
struct SyscallNumbers {
    /// libseccomp's on this machine: negative when only other architectures have the call, nil when it does not know
    /// the name.
    let native: Int32?
    /// Whether an architecture has the call, too or only, as a function of socketcall or ipc; so are these two, whose
    /// rules cover those of their functions.
    private(set) var isPacked: Bool
    /// What a process uses, in the order of the architectures; nil where there is no such call.
    private(set) var byArchitecture: [UInt32?] = []

    /// Set in the numbers of x32 calls.
    static let x32Bit: UInt32 = 0x4000_0000

    /// The first architecture is the native one.
    init(of name: String, on architectures: [UInt32]) {
        native = architectures.first.flatMap { Self.number(of: name, on: $0) }
        isPacked = name == "socketcall" || name == "ipc"
        byArchitecture.reserveCapacity(architectures.count)
        for architecture in architectures {
            let x32 = architecture == SeccompNames.x32 ? Self.x32Bit : 0
            let known = native == nil ? nil : Self.number(of: name, on: architecture)
            if let known {
                // libseccomp's numbers for the functions of socketcall and ipc.
                isPacked = isPacked || -300 ... -101 ~= known
                byArchitecture.append(known < 0 ? nil : UInt32(known) | x32)
            } else {
                byArchitecture.append(Self.hasCommonNumbers(architecture) ? Self.newer[name].map { $0 | x32 } : nil)
            }
        }
    }

    /// Whether a process of one of the architectures can make the call.
    var isKnown: Bool { byArchitecture.contains { $0 != nil } }

    /// Calls that libseccomp 2.5 does not know. Since Linux 5.1 a new call has one number on all the architectures that
    /// ``hasCommonNumbers(_:)`` names.
    private static let newer: [String: UInt32] = [
        "cachestat": 451, "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454, "futex_wait": 455,
        "futex_requeue": 456, "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459,
        "lsm_set_self_attr": 460, "lsm_list_modules": 461, "mseal": 462, "setxattrat": 463, "getxattrat": 464,
        "listxattrat": 465, "removexattrat": 466, "open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469,
    ]

    /// Not so on MIPS (EM_MIPS), where each ABI counts from a base of its own.
    private static func hasCommonNumbers(_ architecture: UInt32) -> Bool { architecture & 0xffff != 8 }

    private static func number(of name: String, on architecture: UInt32) -> Int32? {
        // NUL would end the name early for C.
        guard !name.utf8.contains(0) else { return nil }
        var number: Int32 = 0
        return cseccomp_number(architecture, name, &number) != 0 ? number : nil
    }
}
