import Foundation
import MesosWire
import SwiftProtobuf
import Testing

/// Frames that the reference implementation wrote from the published protocol files; `Tests/Clients/golden` makes them.
@Suite struct GoldenFrameTests {
    static let names: [String] = {
        let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil)!
        let files = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
        return files.filter { $0.hasSuffix(".bin") }.map { String($0.dropLast(4)) }.sorted()
    }()

    static func fixture(_ name: String) throws -> [UInt8] {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
        return [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func type(of name: String) -> any Message.Type {
        switch name.split(separator: ".")[0] {
        case "scheduler-call": WireSchedulerCall.self
        case "scheduler-event": WireSchedulerEvent.self
        case "operator-call": WireOperatorCall.self
        case "operator-response": WireOperatorResponse.self
        default: WireOperatorEvent.self
        }
    }

    private func check<M: Message>(_ type: M.Type, _ name: String) throws {
        let binary = try Self.fixture(name + ".bin")
        let text = try Self.fixture(name + ".json")
        let fromBinary = try WireCodec.decode(type, from: binary, as: .protobuf)
        let fromText = try WireCodec.decode(type, from: text, as: .json)
        #expect(fromBinary.isEqualTo(message: fromText))
        let ourBinary = try WireCodec.encode(fromText, as: .protobuf)
        let ourText = try WireCodec.encode(fromBinary, as: .json)
        #expect(ourBinary == binary)
        #expect(String(decoding: ourText, as: UTF8.self) == String(decoding: text, as: UTF8.self))
        // make_golden.py --check reads these.
        guard let out = ProcessInfo.processInfo.environment["RONDO_GOLDEN_OUT"] else { return }
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        try Data(ourBinary).write(to: URL(fileURLWithPath: "\(out)/\(name).bin"))
        try Data(ourText).write(to: URL(fileURLWithPath: "\(out)/\(name).json"))
    }

    @Test(arguments: names)
    func `a frame of the reference implementation is read and written to the byte`(name: String) throws {
        try check(Self.type(of: name), name)
    }

    @Test func `there is a frame for every call and event of the scheduler interface`() {
        let calls = WireSchedulerCall.TypeEnum.allCases.filter { $0 != .unknown }
        let events = WireSchedulerEvent.TypeEnum.allCases.filter { $0 != .unknown }
        #expect(Self.names.count { $0.hasPrefix("scheduler-call.") } == calls.count)
        #expect(Self.names.count { $0.hasPrefix("scheduler-event.") } == events.count)
    }
}
