import Testing

@testable import OperatorCommands

struct SessionKeysTests {
    @Test func `the keys are found wherever the input is split, and all else goes on`() throws {
        let typed = Array("ab\u{10}c\u{10}\u{10}\u{11}rest".utf8)
        for first in 0..<typed.count {
            var keys = try #require(DetachKeys(DetachKeys.standard))
            var passed: [UInt8] = []
            var isComplete = false
            for part in [typed[..<first], typed[first...]] where !isComplete {
                let result = keys.filter(Array(part))
                passed += result.passed
                isComplete = result.isComplete
            }
            #expect(isComplete)
            #expect(passed == Array("ab\u{10}c\u{10}".utf8))
        }
    }

    @Test func `a beginning that is not gone on with is passed on`() throws {
        var keys = try #require(DetachKeys("ctrl-a,d"))
        #expect(keys.filter([1]).passed == [])
        #expect(keys.filter([0x78]).passed == [1, 0x78])
        #expect(keys.filter([1, 0x64]).isComplete)
    }

    @Test(arguments: ["", "ctrl-", "ctrl-pp", "ctrl-1", "p,", "ctrl-p,,ctrl-q", "é", "a,b,c,d,e,f,g,h,i"])
    func `other names are refused`(text: String) { #expect(DetachKeys(text) == nil) }

    @Test func `what a task uses is told from two looks`() {
        let sample = { (time: Double, used: Double) in
            (
                node: "n",
                sample: TaskUsage.Sample(
                    container_id: "c", executor_id: "t", framework_id: "f",
                    statistics: TaskUsage.Sample.Statistics(
                        timestamp: time, cpus_limit: 1, cpus_user_time_secs: used, mem_limit_bytes: 67_108_864,
                        mem_total_bytes: 1_572_864, processes: 3))
            )
        }
        let row = TaskUsage.Row(("c", sample(12, 4)), since: sample(10, 1))
        #expect(row.cpu == 1.5)
        #expect(TaskUsage.Row(("c", sample(12, 4)), since: nil).cpu == nil)
        let line = TaskUsage.table([row]).split(separator: "\n").last.map(String.init) ?? ""
        #expect(line.split(separator: " ") == ["t", "n", "150%", "1", "1.5", "64", "3"])
    }
}
