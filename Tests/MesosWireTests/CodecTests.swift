import FoundationEssentials
import MesosWire
import SwiftProtobuf
import Testing

@Suite struct CodecTests {
    func json(_ message: some Message) throws -> String {
        String(decoding: try WireCodec.encode(message, as: .json), as: UTF8.self)
    }

    func call(_ text: String) throws -> WireSchedulerCall {
        try WireCodec.decode(from: Array(text.utf8), as: .json)
    }

    @Test func `JSON keeps the names of fields and writes 64-bit numbers as numbers`() throws {
        var call = WireOperatorCall()
        call.type = .readFile
        call.readFile.path = "/x"
        call.readFile.offset = .max
        #expect(
            try json(call)
                == #"{"type":"READ_FILE","read_file":{"path":"/x","offset":18446744073709551615}}"#)
    }

    @Test func `JSON is one line of ASCII with surrogate pairs`() throws {
        var error = WireSchedulerEvent.Error()
        error.message = "ä€🎉\n\"\\\u{7f}\u{9f}\u{2028}"
        #expect(try json(error) == #"{"message":"\u00e4\u20ac\ud83c\udf89\n\"\\\u007F\u009F\u2028"}"#)
        let back: WireSchedulerEvent.Error = try WireCodec.decode(from: Array(try json(error).utf8), as: .json)
        #expect(back == error)
    }

    @Test func `bytes are base64 and enums are names`() throws {
        var status = WireTaskStatus()
        status.taskID.value = "t"
        status.state = .taskGoneByOperator
        status.data = .init([0xff, 0xfe])
        #expect(try json(status) == #"{"task_id":{"value":"t"},"state":"TASK_GONE_BY_OPERATOR","data":"//4="}"#)
    }

    @Test func `fields that nobody knows are ignored at every level`() throws {
        let call = try call(
            #"""
            {"type":"ACCEPT","requests":[{"x":[[],[{}]]}],"framework_id":{"value":"f","also":null},"accept":{
            "offer_ids":[{"value":"o"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":[{"name":"n",
            "task_id":{"value":"t"},"agent_id":{"value":"a"},"slave_id":{"value":"a"}}]}}]}}
            """#)
        #expect(call.accept.operations[0].launch.taskInfos[0].agentID.value == "a")
    }

    @Test func `an unknown name in an optional enum field counts as absent`() throws {
        let info: WireFrameworkInfo = try WireCodec.decode(
            from: Array(#"{"user":"u","name":"n","capabilities":[{"type":"TIME_TRAVEL"}]}"#.utf8), as: .json)
        #expect(info.capabilities.count == 1)
        #expect(!info.capabilities[0].hasType)
    }

    @Test(arguments: [
        (
            #"{"type":"ACKNOWLEDGE","acknowledge":{"agent_id":{"value":"a"},"task_id":{},"uuid":""}}"#,
            "acknowledge.task_id.value"
        ),
        (
            #"{"accept":{"operations":[{},{"launch":{"task_infos":[{"name":"n"}]}}]}}"#,
            "accept.operations[1].launch.task_infos[0].task_id"
        ),
        (
            #"{"accept":{"operations":[{"launch":{"task_infos":[{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},"resources":[{"name":"cpus","type":"VECTOR"}]}]}}]}}"#,
            "accept.operations[0].launch.task_infos[0].resources[0].type"
        ),
        (
            #"{"subscribe":{"framework_info":{"user":"u","name":"n","offer_filters":{"r":{"min_allocatable_resources":{"quantities":[{"quantities":{"cpus":{}}}]}}}}}}"#,
            "subscribe.framework_info.offer_filters[r].min_allocatable_resources.quantities[0].quantities[cpus].value"
        ),
    ])
    func `a missing required field is named by its path`(text: String, path: String) throws {
        #expect(throws: WireError.missingField(path: path)) { try call(text) }
    }

    @Test func `a message that lacks a required field is not written`() {
        var event = WireSchedulerEvent()
        event.rescind = WireSchedulerEvent.Rescind()
        for type in MediaType.allCases {
            #expect(throws: WireError.missingField(path: "rescind.offer_id")) {
                try WireCodec.encode(event, as: type)
            }
        }
    }

    @Test(arguments: [
        (#"{"kill":{"task_id":7}}"#, "kill.task_id"), (#"{"kill":{"task_id":{"value":7}}}"#, "kill.task_id.value"),
        (#"{"decline":{"offer_ids":[{"value":"o"},{"value":true}]}}"#, "decline.offer_ids[1].value"),
        (#"{"decline":{"filters":{"refuse_seconds":"soon"}}}"#, "decline.filters.refuse_seconds"),
        (#"{"message":{"data":"***"}}"#, "message.data"),
        (#"{"decline":{"filters":{"refuse_seconds":"NaN"}}}"#, "decline.filters.refuse_seconds"),
        (#"{"decline":{"filters":{"refuse_seconds":"-Infinity"}}}"#, "decline.filters.refuse_seconds"),
        (#"{"decline":{"filters":{"refuse_seconds":"\u004eaN"}}}"#, "decline.filters.refuse_seconds"),
    ])
    func `a value of the wrong type is named by its path`(text: String, path: String) throws {
        let error = #expect(throws: WireError.self) { try call(text) }
        guard case .invalidField(let named, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(named == path)
    }

    @Test func `numbers that are not finite are refused in protobuf`() throws {
        var call = WireSchedulerCall()
        for number in [Double.nan, .infinity, -.infinity] {
            call.decline.filters.refuseSeconds = number
            let bytes: [UInt8] = try call.serializedBytes()
            #expect(throws: WireError.invalidField(path: "decline.filters.refuse_seconds", problem: "must be finite")) {
                try WireCodec.decode(WireSchedulerCall.self, from: bytes, as: .protobuf)
            }
        }
    }

    @Test func `a task may be called NaN`() throws {
        let call = try call(#"{"kill":{"task_id":{"value":"NaN"}}}"#)
        #expect(call.kill.taskID.value == "NaN")
    }

    @Test func `the limits of length, depth and parts hold exactly`() throws {
        let limits = WireLimits(bytes: 64, depth: 4, parts: 3)
        func read(_ text: String) throws {
            _ = try WireCodec.decode(WireSchedulerCall.self, from: Array(text.utf8), as: .json, limits: limits)
        }
        try read(#"{"x":[[[1]]]}"#)
        #expect(throws: WireError.tooDeep(limit: 4)) { try read(#"{"x":[[[[1]]]]}"#) }
        try read(#"{"x":[{},{}]}"#)
        #expect(throws: WireError.tooManyParts(limit: 3)) { try read(#"{"x":[{},{},{}]}"#) }
        let padding = String(repeating: " ", count: 62)
        try read("{}" + padding)
        #expect(throws: WireError.tooLarge(limit: 64)) { try read("{} " + padding) }
    }

    @Test func `a small body cannot become a large amount of memory`() {
        // accept { operations { launch { task_infos {} … } } }: two bytes on the wire for each task.
        func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
            var (length, rest) = ([UInt8](), content.count)
            repeat {
                length.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
                rest >>= 7
            } while rest > 0
            return [number << 3 | 2] + length + content
        }
        let tasks = [UInt8]((0..<2_000_000).map { $0 % 2 == 0 ? 0x0a : 0x00 })
        let body = field(4, field(2, field(2, tasks)))
        #expect(throws: WireError.tooManyParts(limit: 200_000)) {
            try WireCodec.decode(WireSchedulerCall.self, from: body, as: .protobuf)
        }
        // Garbage at the end does not make the scan look away.
        #expect(throws: WireError.tooManyParts(limit: 200_000)) {
            try WireCodec.decode(WireSchedulerCall.self, from: field(4, field(2, field(2, tasks + [7]))), as: .protobuf)
        }
    }

    @Test func `the grace period of a drain is an object`() throws {
        let call: WireOperatorCall = try WireCodec.decode(
            from: Array(
                #"{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"a"},"max_grace_period":{"seconds":30}}}"#
                    .utf8), as: .json)
        #expect(call.drainAgent.maxGracePeriod.seconds == 30)
    }
}
