internal import Appliance
internal import HTTPGateway
internal import HTTPTypes
internal import MesosWire
internal import NIOCore

/// Keeps the event stream of a framework open: subscribes, hands out events, subscribes again when it breaks.
struct RunStream: Sendable {
    /// Heartbeats come every 15 s.
    private static let idleTimeout = Duration.seconds(50)
    /// The longest event.
    private static let eventLimit = 64 << 20

    let client: ClusterClient
    let inbox: RunInbox

    /// Opens one stream and reads it to its end.
    ///
    /// - Parameter subscription: the body of SUBSCRIBE.
    func run(_ subscription: JSONValue) async {
        do {
            var headers = client.authorization
            headers[.contentType] = "application/json"
            headers[.accept] = "application/json"
            let response = try await client.caller.stream(
                .post, client.endpoint, "/api/v1/scheduler", headers: headers,
                body: ByteBuffer(bytes: try subscription.encoded()), idleTimeout: Self.idleTimeout)
            guard response.status.code == 200 else {
                let body = try await response.body.collect(upTo: 64 << 10)
                let refusal = ClusterClient.refusal(response.status.code, [UInt8](body.readableBytesView))
                inbox.post(response.status.code < 500 ? .refused(refusal) : .disconnected("\(refusal)"))
                return
            }
            inbox.post(.connected(streamID: HTTPField.Name("Mesos-Stream-Id").flatMap { response.headers[$0] } ?? ""))
            var decoder = RecordIO.Decoder(maximumLength: Self.eventLimit)
            for try await piece in response.body {
                var records: [[UInt8]] = []
                try decoder.feed([UInt8](piece.readableBytesView), into: &records)
                for record in records { inbox.post(.event(try JSONValue(parsing: record))) }
            }
            inbox.post(.disconnected("the master closed the stream"))
        } catch let error as HTTPCallError {
            inbox.post(.disconnected("\(error)"))
        } catch {
            inbox.post(.refused(ApplianceError(.failure, "\(client.endpoint) sent what cannot be read: \(error)")))
        }
    }
}
