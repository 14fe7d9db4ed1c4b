import GuestChannel
import Testing

@testable import MicroVM

/// A row of the table for each way in which a machine was seen to fail.
@Suite("What became of a machine")
struct MachineEndTests {
    private func end(_ seen: MachineObservation) -> MachineEnd { MachineEnd(of: seen) }
    private let panic = Array("booting\r\n[    1.2] Kernel panic - not syncing: Attempted to kill init!\r\n".utf8)

    @Test func `the workload's end counts when the guest said it, whatever came after`() {
        #expect(end(MachineObservation(exit: .code(0), session: .ended, process: .exited(code: 0))).code == 0)
        #expect(end(MachineObservation(exit: .code(7), session: .closed, process: .killed(signal: 11))).code == 7)
        let signalled = end(MachineObservation(exit: .signal(9), session: .ended, process: .exited(code: 0)))
        #expect(signalled.code == 137 && signalled.kind == .workload && signalled.reason == "ended by signal 9")
    }

    @Test func `a kernel panic looks like a good end to QEMU`() {
        let seen = MachineObservation(
            session: .closed, process: .exited(code: 0), shutdownReason: "guest-reset", serialTail: panic)
        #expect(end(seen).kind == .panic)
        #expect(end(seen).code == 255)
        #expect(end(seen).reason == "the guest's kernel panicked: Kernel panic - not syncing: Attempted to kill init!")
    }

    @Test func `a reset without EXIT and without panic is a lost machine`() {
        let seen = MachineObservation(session: .closed, process: .exited(code: 0), shutdownReason: "guest-reset")
        #expect(end(seen) == end(MachineObservation(process: .exited(code: 0))))
        #expect(end(seen).kind == .lost && end(seen).code == 255)
    }

    @Test func `a guest that answers nothing was hanging, also when a signal then ended it`() {
        let seen = MachineObservation(session: .silent(.ping), process: .killed(signal: 9), wasEnded: true)
        #expect(end(seen).kind == .hang && end(seen).code == 255)
        #expect(end(seen).reason == "the guest did not answer PING in time")
    }

    @Test(arguments: [11, 6, 7, 31] as [Int32])
    func `a machine monitor that crashes takes the machine with it`(signal: Int32) {
        let seen = MachineObservation(session: .closed, process: .killed(signal: signal), serialTail: panic)
        #expect(end(seen).kind == .crash && end(seen).code == 255)
        #expect(end(seen).reason?.contains("signal \(signal)") == true)
    }

    @Test func `SIGTERM of the machine monitor has status 0 and is no good end`() {
        let seen = MachineObservation(session: .closed, process: .exited(code: 0), shutdownReason: "host-signal")
        #expect(end(seen).kind == .killed && end(seen).code == 255)
        let killed = MachineObservation(session: .closed, process: .killed(signal: 9))
        #expect(end(killed).kind == .killed && end(killed).code == 255)
    }

    @Test func `a full disk of the host is told with the hang that follows it`() {
        let seen = MachineObservation(
            session: .silent(.ping), process: .exited(code: 0), wasEnded: true, diskFailed: true)
        #expect(end(seen).kind == .hang)
        #expect(end(seen).reason?.contains("a disk of the host failed") == true)
    }

    @Test func `a machine beyond its memory is killed for that, not lost`() {
        let seen = MachineObservation(session: .closed, process: .killed(signal: 9), outOfMemoryKills: 1)
        #expect(end(seen).kind == .outOfMemory && end(seen).code == 137)
        #expect(end(seen).reason?.hasPrefix("OOMKilled") == true)
        // Something else of the group may have been killed: the machine's own end counts then.
        let other = MachineObservation(session: .closed, process: .exited(code: 1), outOfMemoryKills: 1)
        #expect(end(other).kind == .crash)
    }

    @Test func `a guest that never greets under KVM makes the node emulate`() {
        let seen = MachineObservation(
            session: .silent(.hello), process: .killed(signal: 9), wasEnded: true, isSilentOnKVM: true)
        #expect(end(seen).kind == .kvmUnusable && end(seen).marksKVMBad && end(seen).code == 255)
    }

    @Test func `a guest that breaks the protocol, or gives up, says why`() {
        let hostile = MachineObservation(
            session: .protocolFault(.creditOverrun(1)), process: .killed(signal: 9), wasEnded: true)
        #expect(end(hostile).kind == .hostile)
        #expect(end(hostile).reason?.contains("more bytes than were credited") == true)
        let fault = GuestFault(code: 6, reason: Array("disk rootfs is not there".utf8))
        let gaveUp = MachineObservation(session: .guestFault(fault), process: .exited(code: 0))
        #expect(end(gaveUp).kind == .gaveUp)
        #expect(end(gaveUp).reason == "the guest gave up: disk rootfs is not there (6)")
    }

    @Test func `a machine that its launcher ended is not called a crash`() {
        let seen = MachineObservation(session: .ended, process: .killed(signal: 9), wasEnded: true)
        #expect(end(seen).kind == .killed && end(seen).code == 255)
    }

    @Test func `what a guest prints is cut, and control characters are taken out`() throws {
        let long = Array("Kernel panic \u{1b}[31m".utf8) + Array(repeating: 65, count: 100_000)
        #expect(MachineEnd.panicLine(in: long) == nil)
        let line = try #require(MachineEnd.panicLine(in: Array(long.prefix(5_000))))
        #expect(line.utf8.count <= 200 && !line.unicodeScalars.contains { $0.value < 0x20 })
        #expect(MachineEnd.panicLine(in: [0xff, 0xfe] + Array("Kernel panic".utf8) + [0xff]) != nil)
        #expect(MachineEnd.panicLine(in: Array("kernel PANIC".utf8)) == nil)
    }

    @Test func `a machine that must go is asked first, and then killed`() {
        #expect(MachineStop.due(elapsed: 0) == .quit)
        #expect(MachineStop.due(elapsed: 1_999) == .quit)
        #expect(MachineStop.due(elapsed: 2_000) == .kill)
    }
}
