import ClusterModel
import FoundationEssentials
import Testing

/// The quick way must never read anything otherwise than `Codable` does.
struct AgentCallTextTests {
    private struct Body: Codable {
        var type = "CALLS"
        var calls: [AgentCall]
    }

    private func read(_ bytes: some Collection<UInt8>) -> [AgentCall]? {
        Array(bytes).withUnsafeBytes { AgentCallText.read($0) }
    }

    /// As agents write bodies: `type` first.
    private func body(_ calls: [AgentCall]) throws -> [UInt8] {
        let encoder = JSONEncoder()
        let texts = try calls.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
        return Array("{\"type\":\"CALLS\",\"calls\":[\(texts.joined(separator: ","))]}".utf8)
    }

    private func drawn(_ random: inout SeededRandom) -> AgentCall {
        func text(_ prefix: String) -> String { "\(prefix)-\(UInt32.random(in: 0...999, using: &random))-é" }
        let states = TaskState.allCases
        let status = TaskStatus(
            taskID: TaskID(text("t")), state: states[Int.random(in: 0..<states.count, using: &random)],
            source: .executor, reason: Bool.random(using: &random) ? .containerLimitationMemory : nil,
            message: Bool.random(using: &random) ? text("said") : nil,
            agentID: Bool.random(using: &random) ? AgentID(text("a")) : nil,
            executorID: Bool.random(using: &random) ? ExecutorID(text("e")) : nil,
            timestamp: UnixTime(nanoseconds: .random(in: 0...1_000_000_000_000_000, using: &random)),
            uuid: Bool.random(using: &random) ? StatusUUID(using: &random) : nil,
            isHealthy: Bool.random(using: &random) ? Bool.random(using: &random) : nil,
            containerID: Bool.random(using: &random) ? ContainerID(text("c")) : nil,
            addresses: Bool.random(using: &random) ? [text("1"), text("2")] : [])
        if Int.random(in: 0..<10, using: &random) == 0 { return .heartbeat }
        return .status(
            TaskKey(framework: FrameworkID(text("f")), task: status.taskID), status, directory: text("d"))
    }

    @Test func `what Codable writes of updates is read the same`() throws {
        var random = SeededRandom(seed: 11)
        for _ in 0..<500 {
            let calls = (0..<Int.random(in: 1...5, using: &random)).map { _ in drawn(&random) }
            #expect(try read(body(calls)) == calls)
        }
    }

    @Test func `other calls and texts with escapes are left to Codable`() throws {
        let key = TaskKey(framework: FrameworkID("f"), task: TaskID("t"))
        let odd = TaskStatus(
            taskID: TaskID("t"), state: .failed, source: .agent, message: "a \"b\" \\ c\n",
            timestamp: UnixTime(nanoseconds: 1))
        for call in [AgentCall.leave, .ended(key, .failed), .status(key, odd, directory: "d")] {
            #expect(try read(body([call])) == nil)
        }
    }

    @Test func `whatever bytes come, both ways agree`() throws {
        var random = SeededRandom(seed: 12)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = try body([drawn(&random)])
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: place)
                default: bytes.removeLast(Int.random(in: 0...8, using: &random))
                }
            }
            guard let calls = read(bytes) else { continue }
            accepted += 1
            let slow = try? JSONDecoder().decode(Body.self, from: Data(bytes))
            #expect(slow?.calls == calls, "read otherwise than Codable: \(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(accepted > 100)
    }
}
