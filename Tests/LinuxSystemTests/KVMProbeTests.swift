import CLinux
import Glibc
import Testing

@testable import LinuxSystem

@Suite("Whether KVM runs guests")
struct KVMProbeTests {
    @Test func `the probe says something in time, and leaves no process`() {
        let children = try? readText("/proc/thread-self/children")
        let start = HostFacts.monotonicMilliseconds()
        let verdict = KVMVerdict.probe()
        #expect(HostFacts.monotonicMilliseconds() - start < 1_000)
        #expect(!verdict.reason.isEmpty)
        #expect((try? readText("/proc/thread-self/children")) == children)
    }

    @Test func `a device that is none, or is not there, is named with the error`() {
        #expect(KVMVerdict.probe(device: "/dev/null").reason.hasPrefix("/dev/null does not speak"))
        #expect(KVMVerdict.probe(device: "/dev/nothing").reason.hasPrefix("/dev/nothing cannot be opened: "))
        #expect(!KVMVerdict.probe(device: "/dev/null").isUsable)
    }

    @Test(
        arguments: [
            (CLINUX_KVM_USABLE, true, "a guest ran 2000000000 instructions a second"),
            (CLINUX_KVM_SLOW, false, "a guest did 1000000 of 1000000 rounds in 1 ms"),
            (CLINUX_KVM_WRONG_EXIT, false, "KVM's exit 17"), (CLINUX_KVM_STUCK, false, "did not stop"),
            (CLINUX_KVM_FAILED, false, "a guest cannot be run: "),
        ] as [(clinux_kvm_outcome, Bool, String)])
    func `each outcome has a reason`(outcome: clinux_kvm_outcome, isUsable: Bool, reason: String) {
        let result = clinux_kvm_result(
            outcome: Int32(outcome.rawValue), step: Int32(CLINUX_KVM_STEP_RUN.rawValue), error: 17,
            iterations: 1_000_000, microseconds: 1_000)
        let verdict = KVMVerdict(result, device: "/dev/kvm")
        #expect(verdict.isUsable == isUsable)
        #expect(verdict.reason.contains(reason), "\(verdict.reason)")
    }

    @Test func `a verdict is kept until the next boot or another driver`() {
        let path = "/tmp/rondo-kvm-\(getpid())"
        defer { unlink(path) }
        var probes = 0
        func ask(_ boot: String, _ modules: [String], _ wish: KVMMemory.Wish = .auto) -> KVMVerdict {
            KVMMemory.verdict(wish: wish, path: path, bootID: boot, modules: modules) {
                probes += 1
                return KVMVerdict(isUsable: probes == 1, reason: "probe\n\(probes)")
            }
        }
        #expect(ask("a", ["kvm_intel"]) == KVMVerdict(isUsable: true, reason: "probe1"))
        #expect(ask("a", ["kvm_intel"]).isUsable && probes == 1)
        #expect(!ask("a", ["kvm_intel"], .tcg).isUsable && ask("a", [], .kvm).isUsable && probes == 1)
        #expect(!ask("b", ["kvm_intel"]).isUsable && probes == 2)
        #expect(!ask("b", ["kvm_pvm"]).isUsable && probes == 3)
        unlink(path)
        _ = ask("b", ["kvm_pvm"])
        #expect(probes == 4)
    }

    @Test func `a file that was not written like this is not believed`() {
        let memory = KVMMemory(
            bootID: "a", modules: ["kvm_amd"], verdict: KVMVerdict(isUsable: true, reason: "it ran"))
        #expect(KVMMemory(text: memory.text) == memory)
        for text in [
            "", "rondo kvm 1", memory.text + "x", memory.text + "\n", String(memory.text.dropLast()),
            memory.text.replacing("usable", with: "yes"), memory.text.replacing("kvm 1", with: "kvm 2"),
        ] {
            #expect(KVMMemory(text: text) == nil, "\(text)")
        }
    }
}
