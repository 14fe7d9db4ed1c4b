public import ClusterModel
public import Deployments

/// What those who listen to the events of services are told. Each names one of Marathon's event types.
public enum ServicesEvent: Sendable {
    /// `deployment_info`: a step begins.
    case deploymentInfo(DeploymentView)
    /// `deployment_step_success`: a step is done.
    case deploymentStepSuccess(DeploymentView)
    /// `deployment_success`: all steps are done.
    case deploymentSuccess(DeploymentView)
    /// `deployment_failed`: it was ended before.
    case deploymentFailed(DeploymentView, reason: String)
    /// `group_change_success`: a change was accepted.
    case groupChangeSuccess(ServiceID, version: ServiceVersion)
    /// `group_change_failed`: a change was refused.
    case groupChangeFailed(ServiceID, version: ServiceVersion, reason: String)
    /// `status_update_event`: a task's state changed.
    case statusUpdate(InstanceRecord, TaskView, TaskStatus)
    /// `instance_changed_event`: an instance's condition changed.
    case instanceChanged(InstanceRecord, InstanceCondition)
    /// `instance_health_changed_event`: an instance became healthy or unhealthy; nil when that is not known any more.
    case instanceHealthChanged(InstanceRecord, isHealthy: Bool?)
    /// `health_status_changed_event`: the same of a task.
    case healthStatusChanged(InstanceRecord, TaskID, isAlive: Bool)
    /// `failed_health_check_event`: a check failed.
    case failedHealthCheck(InstanceRecord, TaskID, check: Int)
    /// `unhealthy_instance_kill_event`: an instance is ended because its checks fail.
    case unhealthyInstanceKill(InstanceRecord, TaskID, reason: String)
    /// `unknown_instance_terminated_event`: a task ended that was given up before.
    case unknownInstanceTerminated(TaskID, InstanceCondition)
    /// `app_terminated_event`: a service was removed.
    case serviceTerminated(ServiceID)
    /// `scheduler_registered_event`: the framework subscribed for the first time.
    case schedulerRegistered(FrameworkID, MasterInfo)
    /// `scheduler_reregistered_event`: the framework is back.
    case schedulerReregistered(MasterInfo)
    /// `scheduler_disconnected_event`: the connection to the master is gone.
    case schedulerDisconnected
}
