import ClusterModel
import FrameworkRuntime
import HTTPGateway
import HTTPTypes
import MesosWire
import NIOCore
import Synchronization
import Transport

/// The scheduler interface over HTTP, for frameworks that usually live in the master's process.
struct HTTPScheduler: SchedulerConnector {
    let caller: HTTPCaller
    let endpoint: Endpoint

    func subscribe(_ subscription: Subscription) async throws(SchedulerCallError) -> any SchedulerSession {
        do {
            let body = try WireCodec.encode(WireSchedulerCall(.subscribe(subscription)), as: .protobuf)
            let media = MediaType.protobuf.headerValue
            let response = try await caller.stream(
                .post, endpoint, "/api/v1/scheduler", headers: [.contentType: media, .accept: media],
                body: ByteBuffer(bytes: body), idleTimeout: .seconds(60))
            guard response.status == .ok, let name = response.headers[.streamID] else {
                throw SchedulerCallError(status: response.status.code, message: "no stream")
            }
            return Session(scheduler: self, name: name, response.body)
        } catch let error as SchedulerCallError {
            throw error
        } catch {
            throw SchedulerCallError(status: 0, message: "\(error)")
        }
    }

    final class Session: SchedulerSession {
        private let scheduler: HTTPScheduler
        private let name: String
        private let queue = SchedulerEventQueue()
        private let reading: Task<Void, Never>

        init(scheduler: HTTPScheduler, name: String, _ body: GatewayBody) {
            self.scheduler = scheduler
            self.name = name
            let queue = queue
            reading = Task {
                var reader = RecordReader(body)
                while !Task.isCancelled, let record = try? await reader.next() {
                    if let wire = try? WireCodec.decode(WireSchedulerEvent.self, from: record, as: .protobuf),
                        let event = try? SchedulerEvent(wire)
                    {
                        queue.send(event)
                    }
                }
                queue.finish()
            }
        }

        func next() async -> SchedulerEvent? { await queue.next() }

        func call(_ call: SchedulerCall, of framework: FrameworkID) async throws(SchedulerCallError) {
            let status: Int
            do {
                let body = try WireCodec.encode(WireSchedulerCall(.call(framework, call)), as: .protobuf)
                let response = try await scheduler.caller.call(
                    .post, scheduler.endpoint, "/api/v1/scheduler",
                    headers: [.contentType: MediaType.protobuf.headerValue, .streamID: name],
                    body: ByteBuffer(bytes: body))
                status = response.status.code
            } catch { throw SchedulerCallError(status: 0, message: "\(error)") }
            if status != 202 { throw SchedulerCallError(status: status, message: "refused") }
        }

        func close() async {
            queue.finish()
            reading.cancel()
        }
    }
}
