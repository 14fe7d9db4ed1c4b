import Packages
import Testing

@testable import MicroVM

private let greeting =
    #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}"#

private func lines(_ texts: String...) -> QMPSession.Event {
    .received(texts.flatMap { Array($0.utf8) + [13, 10] })
}

/// A session that is ready.
private func ready() -> QMPSession {
    var session = QMPSession()
    _ = session.handle(.opened, now: 0)
    _ = session.handle(lines(greeting), now: 0)
    _ = session.handle(lines(#"{"return": {}, "id": 0}"#), now: 0)
    return session
}

private func said(_ effects: [QMPSession.Effect]) -> [JSON] {
    effects.compactMap { effect in
        guard case .send(let bytes, _) = effect else { return nil }
        return try? JSON(parsing: bytes, limits: JSONLimits(bytes: 4_096))
    }
}

@Suite("The conversation with QEMU")
struct QMPTests {
    @Test func `capabilities are negotiated, and commands wait for it`() {
        var session = QMPSession()
        #expect(session.handle(.opened, now: 0).isEmpty)
        #expect(session.handle(.run([.stop]), now: 0).isEmpty)
        #expect(said(session.handle(lines(greeting), now: 0)).map { $0["execute"] } == [.text("qmp_capabilities")])
        let effects = session.handle(lines(#"{"return": {}, "id": 0}"#), now: 0)
        #expect(effects.first == .ready(version: "7.2.22"))
        #expect(said(effects).map { $0["execute"] } == [.text("stop")])
    }

    @Test func `a template is made step by step`() {
        var session = ready()
        var effects = session.handle(.run(QMPCommand.templateSteps(state: 9)), now: 0)
        var words: [String] = []
        var descriptors: [Int32?] = []
        for id in 1...5 {
            guard case .send(_, let descriptor)? = effects.last else { return #expect(words.count == 5) }
            descriptors.append(descriptor)
            words.append(said(effects).last?["execute"]?.text ?? "")
            #expect(said(effects).last?["id"] == .integer(id))
            effects = session.handle(lines(#"{"return": {}, "id": \#(id)}"#), now: 0)
            if words.last == "migrate" {
                // The answer only says that it begins.
                #expect(effects.isEmpty)
                #expect(session.handle(lines(#"{"event": "MIGRATION", "data": {"status": "active"}}"#), now: 0).isEmpty)
                effects = session.handle(lines(#"{"event": "MIGRATION", "data": {"status": "completed"}}"#), now: 0)
            }
        }
        #expect(words == ["migrate-set-capabilities", "stop", "getfd", "migrate", "quit"])
        #expect(descriptors == [nil, nil, 9, nil, nil])
        #expect(effects == [.done(.quit)])
        #expect(session.handle(.closed, now: 0) == [.over(nil)])
    }

    @Test func `a clone goes on only when its state is read`() {
        var session = ready()
        #expect(said(session.handle(.run(QMPCommand.cloneSteps(state: 12)), now: 0)).count == 1)
        let incoming = said(session.handle(lines(#"{"return": {}, "id": 1}"#), now: 0))
        #expect(incoming.first?["arguments"]?["uri"] == .text("fd:12"))
        // The end may be told before the answer.
        #expect(session.handle(lines(#"{"event":"MIGRATION","data":{"status":"completed"}}"#), now: 0).isEmpty)
        let effects = session.handle(lines(#"{"return": {}, "id": 2}"#), now: 0)
        #expect(effects.first == .done(.migrateIncoming(descriptor: 12)))
        #expect(said(effects).first?["execute"] == .text("cont"))
    }

    @Test func `what follows a command that failed is not done`() {
        var session = ready()
        _ = session.handle(.run(QMPCommand.cloneSteps(state: 12)), now: 0)
        let refusal = #"{"id": 1, "error": {"class": "GenericError", "desc": "no\u0007 such capability"}}"#
        #expect(session.handle(lines(refusal), now: 0) == [.failed(.prepareMigration, reason: "no such capability")])
        #expect(said(session.handle(.run([.quit]), now: 0)).first?["execute"] == .text("quit"))
        var other = ready()
        _ = other.handle(.run([.migrate(name: "state"), .quit]), now: 0)
        let failed = other.handle(lines(#"{"event": "MIGRATION", "data": {"status": "failed"}}"#), now: 0)
        #expect(failed == [.failed(.migrate(name: "state"), reason: "the machine's state could not be moved")])
    }

    @Test(
        arguments: [
            (
                #"{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}, "timestamp": {"seconds": 1}}"#,
                QMPEvent.shutdown(reason: "guest-reset")
            ),
            (#"{"event": "SHUTDOWN"}"#, .shutdown(reason: "unknown")), (#"{"event": "STOP"}"#, .stopped),
            (#"{"event": "RESUME"}"#, .resumed), (#"{"event": "GUEST_PANICKED", "data": {}}"#, .panicked),
            (
                #"{"event": "BLOCK_IO_ERROR", "data": {"device": "d0", "action": "report"}}"#,
                .diskError(device: "d0", isStopped: false)
            ),
            (
                #"{"event": "BLOCK_IO_ERROR", "data": {"device": "d0", "action": "stop"}}"#,
                .diskError(device: "d0", isStopped: true)
            ),
        ] as [(String, QMPEvent)])
    func `events are told`(line: String, event: QMPEvent) {
        var session = ready()
        #expect(session.handle(lines(line), now: 0) == [.event(event)])
        #expect(session.handle(lines(#"{"event": "RTC_CHANGE", "data": {"offset": 1}}"#), now: 0).isEmpty)
    }

    @Test func `the machine's status is told as QEMU names it`() {
        var session = ready()
        _ = session.handle(.run([.status]), now: 0)
        let effects = session.handle(lines(#"{"return": {"status": "io-error", "running": false}, "id": 1}"#), now: 0)
        #expect(effects == [.status("io-error"), .done(.status)])
    }

    @Test(arguments: [
        "", "{", "[]", "3", #"{"return": {}}"#, #"{"return": {}, "id": 7}"#, #"{"return": {}, "id": "1"}"#,
        #"{"error": {}, "id": 1}"#, #"{"error": {"desc": "x"}, "id": 2}"#, #"{"error": {"desc": "x"}}"#,
        #"{"event": 3}"#,
        #"{"other": 3}"#, greeting, #"{"QMP": {}}"#, String(repeating: "[", count: 1_000),
        String(repeating: "a", count: 70_000), "{\"event\": \"" + String(repeating: "A", count: 100) + "\"}", "\u{0}",
    ])
    func `what cannot be right ends the conversation once, and an empty line is nothing`(line: String) {
        var session = ready()
        _ = session.handle(.run([.stop, .quit]), now: 0)
        let effects = session.handle(lines(line), now: 0)
        if line.isEmpty { return #expect(effects.isEmpty) }
        guard case .over(let fault?)? = effects.last else { return #expect(effects == [], "\(line)") }
        #expect(effects.count == 1 && !fault.reason.isEmpty)
        #expect(session.handle(lines(greeting), now: 0).isEmpty)
        #expect(session.deadline == nil)
    }

    @Test func `a line that never ends is not kept`() {
        var session = ready()
        var over = 0
        for _ in 0..<100 {
            over += session.handle(.received(Array(repeating: 65, count: 4_096)), now: 0).count
        }
        #expect(over == 1)
    }

    @Test func `QEMU that says nothing is given up`() {
        var session = QMPSession()
        _ = session.handle(.opened, now: 100)
        #expect(session.deadline == 5_100)
        #expect(session.handle(.tick, now: 5_099).isEmpty)
        #expect(session.handle(.tick, now: 5_100) == [.over(.silent("the connection"))])
        var other = ready()
        _ = other.handle(.run([.migrate(name: "x")]), now: 0)
        #expect(other.deadline == 30_000)
        #expect(other.handle(.tick, now: 30_000) == [.over(.silent("migrate"))])
    }

    @Test func `bytes may come in any pieces`() {
        var session = QMPSession()
        _ = session.handle(.opened, now: 0)
        var effects: [QMPSession.Effect] = []
        for byte in Array((greeting + "\n" + #"{"return": {}, "id": 0}"# + "\n").utf8) {
            effects += session.handle(.received([byte]), now: 0)
        }
        #expect(effects.last == .ready(version: "7.2.22"))
    }

    @Test func `only so many commands wait`() {
        var session = ready()
        let effects = session.handle(.run(Array(repeating: .status, count: 65)), now: 0)
        #expect(effects.count == 65)
        #expect(said(effects).isEmpty)
    }

    @Test(arguments: 0..<UInt64(60))
    func `noise of QMP's own words does no harm`(seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func number(below limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return Int(state >> 33) % limit
        }
        let words = [
            greeting, #"{"return": {}, "id": 0}"#, #"{"return": {}, "id": 1}"#, #"{"return": {}, "id": 2}"#,
            #"{"event": "MIGRATION", "data": {"status": "completed"}}"#, #"{"event": "STOP"}"#,
            #"{"error": {"desc": "x"}, "id": 1}"#, #"{"return": {"status": "running"}, "id": 3}"#,
        ]
        var session = QMPSession()
        _ = session.handle(.opened, now: 0)
        _ = session.handle(.run(QMPCommand.cloneSteps(state: 4) + [.status]), now: 0)
        var overs = 0
        for _ in 0..<30 {
            for case .over in session.handle(lines(words[number(below: words.count)]), now: 0) { overs += 1 }
        }
        #expect(overs <= 1)
    }
}
