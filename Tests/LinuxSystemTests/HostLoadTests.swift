import Testing

@testable import LinuxSystem

@Suite("Load of the machine")
struct HostLoadTests {
    private typealias Time = HostLoad.ProcessorTime

    @Test func `the first line of proc stat is what all processors have done`() throws {
        let time = try #require(Time(stat: "cpu  10 5 20 100 7 1 2 3 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"))
        #expect((time.user, time.system, time.idle, time.wait, time.stolen) == (15, 23, 100, 7, 3))
        #expect(time.total == 148)
    }

    @Test(arguments: ["", "cpu", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu 1 2 3 4 5 6 7 x", "cpu -1 2 3 4 5 6 7 8"])
    func `what is no such line is refused`(text: String) { #expect(Time(stat: text) == nil) }

    @Test func `shares are of the time between two looks`() throws {
        let before = try #require(Time(stat: "cpu 100 0 100 1000 0 0 0 0 0 0"))
        let after = try #require(Time(stat: "cpu 150 0 125 1020 5 0 0 0 0 0"))
        let share = try #require(after.share(since: before))
        #expect((share.busy, share.user, share.system, share.idle, share.wait) == (75, 50, 25, 20, 5))
        #expect(before.share(since: after) == nil)
        #expect(after.share(since: after) == nil)
    }

    @Test func `memory is read in bytes and must be whole`() throws {
        let text =
            "MemTotal: 8 kB\nMemFree: 4 kB\nMemAvailable: 6 kB\nBuffers: 1 kB\nCached: 2 kB\nHugePages_Total: 0\n"
        let memory = try #require(HostLoad.Memory(meminfo: text))
        #expect((memory.total, memory.free, memory.available) == (8192, 4096, 6144))
        #expect((memory.buffers, memory.cached) == (1024, 2048))
        #expect(HostLoad.Memory(meminfo: "MemTotal: 8 kB\n") == nil)
    }

    @Test func `this machine says the same in both ways`() throws {
        #expect(try HostLoad.memory().total == HostFacts.totalMemoryBytes())
        let disk = try HostLoad.fileSystem(at: "/")
        #expect(disk.used > 0)
        #expect(disk.used <= disk.total)
        #expect(try HostLoad.averages().count == 3)
        #expect(try HostLoad.processorTime().total > 0)
    }
}
