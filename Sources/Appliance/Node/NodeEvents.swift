internal import AgentNode
internal import Logging
internal import Transport

/// What ends a node's wait.
enum NodeEvent: Sendable {
    /// A signal: stop; tasks go on.
    case signal(Int32)
    /// `rondo cluster leave`.
    case leave(purge: Bool)
    /// The cluster has shut this node out.
    case evicted
    /// The agent has come to its end by itself.
    case agentEnded(Result<AgentNode.Outcome, any Error>)
    /// The master has come to its end by itself.
    case masterEnded(Result<Void, any Error>)
}

/// The one inbox of a running node: whatever comes first decides how it ends.
struct NodeEvents: Sendable {
    let stream: AsyncStream<NodeEvent>
    let post: @Sendable (NodeEvent) -> Void

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: NodeEvent.self, bufferingPolicy: .bufferingNewest(64))
        self.stream = stream
        post = { continuation.yield($0) }
    }

    /// Turns signals into events.
    func listen(to signals: AsyncStream<Int32>) -> Task<Void, Never> {
        let post = post
        return Task.detached { for await number in signals { post(.signal(number)) } }
    }
}

/// An agent that runs beside other things in this process.
struct RunningAgent: Sendable {
    let node: AgentNode
    let task: Task<AgentNode.Outcome, any Error>

    /// Starts it; its end is posted.
    init(_ settings: AgentNode.Settings, transport: Transport, logger: Logger, events: NodeEvents) throws {
        let node = try AgentNode(settings: settings, transport: transport, logger: logger)
        self.node = node
        task = Task.detached {
            do {
                let outcome = try await node.run()
                events.post(.agentEnded(.success(outcome)))
                return outcome
            } catch {
                events.post(.agentEnded(.failure(error)))
                throw error
            }
        }
    }

    /// Ends the process's part of it; its tasks go on.
    func stop() async {
        task.cancel()
        _ = await task.result
    }

    /// Ends its tasks and takes it out of the cluster.
    func leave() async {
        node.leave()
        _ = await task.result
    }
}
