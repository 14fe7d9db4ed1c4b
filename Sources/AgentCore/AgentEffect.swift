public import ClusterModel

/// What the driver must do. Effects of one turn are carried out in order; those that say so are answered by an event
/// later, all others are done when the next effect begins.
public enum AgentEffect: Hashable, Sendable {
    /// Subscribe at the master. Events carry this session number; when it fails or ends, `.connectionLost`.
    case connect(session: Int, AgentRegistration)
    /// Close the session's connections; nothing of it is wanted any more.
    case disconnect(session: Int)
    /// Post a call in a session. Calls about different tasks may overtake one another.
    case send(AgentCall, session: Int)
    /// Keep the agent's id durably.
    case storeIdentity(AgentID)
    /// Drop the agent's id durably: it may not be used again.
    case forgetIdentity
    /// Keep a task durably. Answered by `.taskStored` or `.taskStoreFailed`.
    case storeTask(StoredTask)
    /// Keep updates of a stored task durably, after those it has. Answered by `.updatesStored` or
    /// `.updatesStoreFailed`; there is one such effect per task at a time.
    case storeUpdates(ContainerID, [TaskStatus])
    /// Note in the task's file that an update is acknowledged. It must survive the process, not the machine: after
    /// a restart of the machine a framework may hear an old update again.
    case storeAcknowledgement(ContainerID, StatusUUID)
    /// Make the work directory and put the command's files into it, and have the container's image. Answered by
    /// `.fetched` or `.fetchFailed`.
    case fetch(StoredTask)
    /// Stop fetching; no answer is wanted any more.
    case cancelFetch(ContainerID)
    /// Make the work directory if it is not there and start a monitor with the command. Answered by `.started` or
    /// `.launchFailed`, later by `.ended` or `.monitorLost`.
    case launch(StoredTask)
    /// Look how a running task fares. Answered by `.probed`; one that is over by then is fine.
    case probe(ProbeRequest)
    /// Ask the monitor to end the command: SIGTERM, after the grace period SIGKILL to all that is in the container.
    /// A later, shorter grace period holds.
    case kill(ContainerID, gracePeriod: Duration)
    /// Kill all that is in the container's cgroup, and its monitor, and remove the cgroup. Answered by `.destroyed`.
    case destroy(ContainerID)
    /// The last task of a group has ended: give back the network that they had. Comes before that end is stored.
    case releaseGroup(ContainerID)
    /// Remove all that is kept of a task except its work directory.
    case forgetTask(ContainerID)
    /// Remove the work directory of an ended task.
    case removeWorkDirectory(path: String)
    /// Dial the master's stream endpoint and serve a request there.
    case openStream(StreamRequest, session: Int)
    /// End the process; all tasks have ended.
    case stop(StopReason)

    /// Why an agent ends by itself.
    public enum StopReason: Hashable, Sendable {
        /// It was told to leave the cluster and has left.
        case left
        /// The master does not want it, and why.
        case refused(String)
    }
}
