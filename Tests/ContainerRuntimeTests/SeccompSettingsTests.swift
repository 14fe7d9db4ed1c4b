import Testing

@testable import ContainerRuntime

@Suite("Seccomp flags, listeners and features")
struct SeccompSettingsTests {
    private let profile = SeccompConfig(defaultAction: "SCMP_ACT_ALLOW")

    private func flags(_ names: [String]?, notify: Bool = false) throws -> UInt32 {
        var config = notify ? profile.rule(["mkdir"], "SCMP_ACT_NOTIFY") : profile.rule(["mkdir"], "SCMP_ACT_ERRNO")
        config.flags = names
        config.listenerPath = notify ? "/run/agent.sock" : nil
        return try SeccompProgram.compile(config, warn: { _ in }).flags
    }

    @Test func `flags are the kernel's bits, and are told`() throws {
        #expect(try flags([]) == 0)
        #expect(try flags(["SECCOMP_FILTER_FLAG_LOG"]) == 2)
        #expect(try flags(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]) == 4)
        #expect(try flags(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]) == 6)
        var config = profile
        config.flags = ["SECCOMP_FILTER_FLAG_LOG"]
        #expect(try config.messages() == ["seccomp filter flags: 2"])
    }

    @Test func `a profile that says nothing of flags keeps speculation, one that says none does not`() throws {
        #expect(try flags(nil) == 4)
        #expect(try flags(nil, notify: true) == 8 | 4)
        let said = #"{"defaultAction":"SCMP_ACT_ALLOW","flags":[]}"#
        let silent = #"{"defaultAction":"SCMP_ACT_ALLOW","flags":null}"#
        for (text, flags) in [(said, [String]?.some([])), (silent, nil)] {
            let value = try JSONValue.parse(Array(text.utf8))
            #expect(try SeccompConfig(ObjectReader(value, file: "config.json")).flags == flags)
        }
    }

    @Test func `a process of one thread has no threads to synchronise`() throws {
        #expect(try flags(["SECCOMP_FILTER_FLAG_TSYNC"]) == 0)
        #expect(try flags(["SECCOMP_FILTER_FLAG_TSYNC"], notify: true) == 8)
    }

    @Test func `waiting killable goes with a listener only`() throws {
        #expect(try flags(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]) == 0)
        #expect(try flags(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], notify: true) == 8 | 32)
    }

    @Test func `an unknown flag is refused`() {
        #expect(throws: RuntimeFailure.self) { try flags(["SECCOMP_FILTER_FLAG_NEW_LISTENER"]) }
        #expect(throws: RuntimeFailure.self) { try flags(["SECCOMP_FILTER_FLAG_MAGIC"]) }
    }

    @Test func `notifications need a listener, and may hold up neither write nor everything`() {
        var config = profile.rule(["mkdir"], "SCMP_ACT_NOTIFY")
        #expect(config.refusal()?.contains("seccomp listenerPath is not set") == true)
        config.listenerPath = ""
        #expect(config.refusal()?.contains("seccomp listenerPath is not set") == true)
        config.listenerPath = "/run/agent.sock"
        #expect(config.refusal() == nil)
        #expect(
            config.rule(["read", "write"], "SCMP_ACT_NOTIFY").refusal()?
                .contains("SCMP_ACT_NOTIFY cannot be used for the write syscall") == true)
        config.defaultAction = "SCMP_ACT_NOTIFY"
        #expect(config.refusal()?.contains("SCMP_ACT_NOTIFY cannot be used as default action") == true)
    }

    @Test func `a listener that no rule needs is ignored`() throws {
        var config = profile.rule(["mkdir"], "SCMP_ACT_ERRNO")
        config.listenerPath = "/run/agent.sock"
        config.listenerMetadata = "more"
        let program = try SeccompProgram.compile(config, warn: { _ in })
        #expect(program.listenerPath == nil && program.listenerMetadata == nil && program.flags & 8 == 0)
    }

    @Test func `the features are the names of the specification`() {
        #expect(SeccompFeatures.actions.count == 9 && SeccompFeatures.operators.count == 7)
        #expect(SeccompFeatures.actions == SeccompFeatures.actions.sorted())
        #expect(SeccompFeatures.operators == SeccompFeatures.operators.sorted())
        #expect(SeccompFeatures.architectures == SeccompFeatures.architectures.sorted())
        for name in ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64"] {
            #expect(SeccompFeatures.architectures.contains(name))
        }
        #expect(Set(SeccompFeatures.supportedFlags).isSubset(of: SeccompFeatures.knownFlags))
        #expect(SeccompFeatures.supportedFlags.contains("SECCOMP_FILTER_FLAG_LOG"))
        #expect(SeccompFeatures.isSupported(action: Answer.allow) && !SeccompFeatures.isSupported(action: 0x1234_0000))
        #expect(SeccompFeatures.libraryVersion.hasPrefix("2."))
    }
}
