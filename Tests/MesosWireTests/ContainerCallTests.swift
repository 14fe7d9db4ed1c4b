import MesosWire
import Testing

@Suite struct ContainerCallTests {
    private let path = ContainerPath(root: "task", nested: ["mine"])
    private let id = #"{"value":"mine","parent":{"value":"task"}}"#

    private func call(_ text: String) throws(WireError) -> ContainerCall { try ContainerCall(json: Array(text.utf8)) }

    @Test func `a session is launched as the command lines of DC OS and Mesos send it`() throws {
        let plain = try call(
            """
            {"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":\(id),
            "command":{"value":"ls","arguments":["ls","-l"],"shell":false}}}
            """)
        guard case .launchSession(path, let command) = plain else {
            Issue.record("another call: \(plain)")
            return
        }
        #expect(command.words == ["ls", "-l"])
        #expect(command.terminal == nil)
        let rich = try call(
            """
            {"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":\(id),
            "command":{"value":"a b","environment":{"variables":[{"name":"A","value":"1"},{"name":"B"}]}},
            "container":{"type":"MESOS","tty_info":{"window_size":{"rows":3,"columns":4}}}}}
            """)
        guard case .launchSession(path, let command) = rich else {
            Issue.record("another call: \(rich)")
            return
        }
        #expect(command.words == ["/bin/sh", "-c", "a b"])
        #expect(command.environment == ["A=1", "B="])
        #expect(command.terminal?.size?.rows == 3)
        #expect(command.terminal?.size?.columns == 4)
    }

    @Test func `input is bytes, an end, a size or a sign of life`() throws {
        let input = { (process: String) throws in
            try ContainerCall(
                json: Array(
                    #"{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"PROCESS_IO","process_io":\#(process)}}"#
                        .utf8))
        }
        #expect(
            try input(#"{"type":"DATA","data":{"type":"STDIN","data":"aGk="}}"#) == .input(.bytes(Array("hi".utf8))))
        #expect(try input(#"{"type":"DATA","data":{"type":"STDIN","data":""}}"#) == .input(.end))
        #expect(try input(#"{"type":"CONTROL","control":{"type":"HEARTBEAT"}}"#) == .input(.heartbeat))
        let size =
            #"{"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":{"window_size":{"rows":1,"columns":2}}}}"#
        guard case .input(.resize(let changed)) = try input(size) else {
            Issue.record("no change of the size")
            return
        }
        #expect(changed.rows == 1)
        #expect(changed.columns == 2)
        #expect(throws: WireError.self) { _ = try input(#"{"type":"DATA","data":{"type":"STDOUT","data":""}}"#) }
        #expect(throws: WireError.self) { _ = try input(#"{"type":"DATA","data":{"type":"STDIN","data":"%"}}"#) }
        let wide =
            #"{"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":{"window_size":{"rows":70000,"columns":2}}}}"#
        #expect(throws: WireError.self) { _ = try input(wide) }
    }

    @Test func `both names of a call mean the same`() throws {
        for kind in ["WAIT", "KILL", "REMOVE"] {
            let calls = try ["\(kind)_CONTAINER", "\(kind)_NESTED_CONTAINER"].map {
                try call(#"{"type":"\#($0)","\#($0.lowercased())":{"container_id":\#(id)}}"#)
            }
            #expect(calls[0] == calls[1])
            #expect(calls[0].container == path)
        }
        #expect(
            try call(#"{"type":"KILL_CONTAINER","kill_container":{"container_id":\#(id),"signal":15}}"#)
                == .kill(path, signal: 15))
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{}", #"{"type":"GET_STATE"}"#, #"{"type":"WAIT_CONTAINER"}"#,
        #"{"type":"WAIT_CONTAINER","wait_container":{"container_id":{}}}"#,
        #"{"type":"WAIT_CONTAINER","wait_container":{"container_id":{"value":""}}}"#,
        #"{"type":"KILL_CONTAINER","kill_container":{"container_id":{"value":"a"},"signal":0}}"#,
        #"{"type":"KILL_CONTAINER","kill_container":{"container_id":{"value":"a"},"signal":4000000000}}"#,
        #"{"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":"a"},"command":{"value":"x"}}}"#,
        #"{"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":"a","parent":{"value":"b"}},"command":{"value":"x\u0000"}}}"#,
        #"{"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":"a","parent":{"value":"b"}}}}"#,
        #"{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"NOTHING"}}"#,
        #"{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"CONTAINER_ID"}}"#,
    ])
    func `a call that cannot be is refused`(text: String) {
        #expect(throws: WireError.self) { _ = try call(text) }
    }

    @Test func `names that are too long or too deep are refused`() {
        let long = String(repeating: "a", count: 256)
        #expect(throws: WireError.self) {
            _ = try call(#"{"type":"WAIT_CONTAINER","wait_container":{"container_id":{"value":"\#(long)"}}}"#)
        }
        for depth in [9, 400, 10_000] {
            let deep =
                String(repeating: #"{"value":"a","parent":"#, count: depth) + #"{"value":"a"}"#
                + String(repeating: "}", count: depth)
            #expect(throws: WireError.self) {
                _ = try call(#"{"type":"WAIT_CONTAINER","wait_container":{"container_id":\#(deep)}}"#)
            }
        }
    }

    @Test func `output is one record`() throws {
        var decoder = RecordIO.Decoder(maximumLength: 1_000)
        let records = try decoder.feed(ContainerCall.output(Array("hi".utf8), isError: true))
        #expect(records == [Array(#"{"type":"DATA","data":{"type":"STDERR","data":"aGk="}}"#.utf8)])
    }
}
