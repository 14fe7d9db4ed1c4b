import LinuxSystem
import Testing

@Suite struct SessionMessageTests {
    @Test(arguments: [
        SessionMessage.started, .failed("no such file"), .failed(""), .ended(waitStatus: 9 << 8),
        .ended(waitStatus: -1), .signal(15),
    ])
    func `a message survives the way`(message: SessionMessage) {
        #expect(SessionMessage(message.encoded[...]) == message)
    }

    @Test(arguments: [
        [UInt8](), [0x53, 0], [0x45], [0x45, 1, 2, 3], [0x45, 1, 2, 3, 4, 5], [0x4b], [0], [0xff, 0, 0, 0, 0],
    ])
    func `other bytes are no message`(bytes: [UInt8]) { #expect(SessionMessage(bytes[...]) == nil) }

    @Test func `a reason that is too long is cut`() {
        let long = SessionMessage.failed(String(repeating: "x", count: 10_000)).encoded
        #expect(long.count == SessionMessage.lengthLimit)
    }
}
