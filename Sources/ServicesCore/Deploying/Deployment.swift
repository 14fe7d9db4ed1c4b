internal import ClusterModel
internal import Deployments

/// A running deployment.
struct Deployment: Sendable {
    var record: DeploymentRecord
    let plan: DeploymentPlan
    /// The last answers of readiness checks that are to be shown.
    var readiness: [TaskID: ReadinessReport] = [:]

    init(record: DeploymentRecord, plan: DeploymentPlan) {
        self.record = record
        self.plan = plan
    }

    var actions: [DeploymentAction] {
        record.step < plan.steps.count ? plan.steps[record.step].actions : []
    }
}
