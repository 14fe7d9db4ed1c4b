// Made by Protos/generate.sh; do not edit.
// swift-format-ignore-file

/// One line per message: its protobuf name, then number and name of each field, with `!` when it is required.
let fieldTable: StaticString = """
    mesos.v1.FrameworkID 1!value
    mesos.v1.AgentID 1!value
    mesos.v1.OfferID 1!value
    mesos.v1.TaskID 1!value
    mesos.v1.ExecutorID 1!value
    mesos.v1.OperationID 1!value
    mesos.v1.ResourceProviderID 1!value
    mesos.v1.ContainerID 1!value 2:parent
    mesos.v1.UUID 1!value
    mesos.v1.TimeInfo 1!nanoseconds
    mesos.v1.DurationInfo 1!nanoseconds
    mesos.v1.Unavailability 1!start 2:duration
    mesos.v1.Value.Scalar 1!value
    mesos.v1.Value.Range 1!begin 2!end
    mesos.v1.Value.Ranges 1:range
    mesos.v1.Value.Set 1:item
    mesos.v1.Value.Text 1!value
    mesos.v1.Value 1!type 2:scalar 3:ranges 4:set 5:text
    mesos.v1.Attribute 1!name 2!type 3:scalar 4:ranges 5:text 6:set
    mesos.v1.Label 1!key 2:value
    mesos.v1.Labels 1:labels
    mesos.v1.Parameter 1!key 2!value
    mesos.v1.Parameters 1:parameter
    mesos.v1.Credential 1!principal 2:secret
    mesos.v1.Secret.Reference 1!name 2:key
    mesos.v1.Secret.Value 1!data
    mesos.v1.Secret 1:type 2:reference 3:value
    mesos.v1.Address 1:hostname 2:ip 3!port
    mesos.v1.URL 1!scheme 2!address 3:path 4:query 5:fragment
    mesos.v1.MachineID 1:hostname 2:ip
    mesos.v1.DomainInfo.FaultDomain.RegionInfo 1!name
    mesos.v1.DomainInfo.FaultDomain.ZoneInfo 1!name
    mesos.v1.DomainInfo.FaultDomain 1!region 2!zone
    mesos.v1.DomainInfo 1:fault_domain
    mesos.v1.FrameworkInfo.Capability 1:type
    mesos.v1.FrameworkInfo 1!user 2!name 3:id 4:failover_timeout 5:checkpoint 6:role 7:hostname 8:principal 9:webui_url 10:capabilities 11:labels 12:roles 13:offer_filters
    mesos.v1.MasterInfo.Capability 1:type
    mesos.v1.MasterInfo 1!id 2!ip 3!port 4:pid 5:hostname 6:version 7:address 8:domain 9:capabilities
    mesos.v1.AgentInfo.Capability 1:type
    mesos.v1.AgentInfo 1!hostname 3:resources 5:attributes 6:id 8:port 10:domain
    mesos.v1.CSIPluginContainerInfo 1:services 2:command 3:resources 4:container
    mesos.v1.CSIPluginEndpoint 1!csi_service 2!endpoint
    mesos.v1.CSIPluginInfo 1!type 2:name 3:containers 4:endpoints 5:target_path_root 6:target_path_exists
    mesos.v1.ResourceProviderInfo.Storage 1!plugin 2:reconciliation_interval_seconds
    mesos.v1.ResourceProviderInfo 1:id 2:attributes 3!type 4!name 5:default_reservations 6:storage
    mesos.v1.DrainConfig 1:max_grace_period 2:mark_gone
    mesos.v1.DrainInfo 1!state 2!config
    mesos.v1.Role 1!name 2!weight 3:frameworks 4:resources
    mesos.v1.WeightInfo 1!weight 2:role
    mesos.v1.VersionInfo 1!version 2:build_date 3:build_time 4:build_user 5:git_sha 6:git_branch 7:git_tag
    mesos.v1.Flag 1!name 2:value
    mesos.v1.Metric 1!name 2:value
    mesos.v1.FileInfo 1!path 2:nlink 3:size 4:mtime 5:mode 6:uid 7:gid
    mesos.v1.QuotaInfo 1:role 2:principal 3:guarantee
    mesos.v1.QuotaRequest 1:force 2:role 3:guarantee
    mesos.v1.QuotaConfig 1!role 2:guarantees 3:limits
    mesos.v1.QuotaStatus 1:infos 2:configs
    mesos.v1.MaintenanceWindow 1:machine_ids 2!unavailability
    mesos.v1.MaintenanceSchedule 1:windows
    mesos.v1.MaintenanceStatus.DrainingMachine 1!id 2:statuses
    mesos.v1.MaintenanceStatus 1:draining_machines 2:down_machines
    mesos.v1.Image.Appc 1!name 2:id 3:labels
    mesos.v1.Image.Docker 1!name 2:credential 3:config
    mesos.v1.Image 1!type 2:appc 3:docker 4:cached
    mesos.v1.MountPropagation 1:mode
    mesos.v1.Volume.Source.DockerVolume 1:driver 2!name 3:driver_options
    mesos.v1.Volume.Source.HostPath 1!path 2:mount_propagation
    mesos.v1.Volume.Source.SandboxPath 1:type 2!path
    mesos.v1.Volume.Source.CSIVolume.VolumeCapability.MountVolume 1:fs_type 2:mount_flags
    mesos.v1.Volume.Source.CSIVolume.VolumeCapability.AccessMode 1!mode
    mesos.v1.Volume.Source.CSIVolume.VolumeCapability 1:block 2:mount 3!access_mode
    mesos.v1.Volume.Source.CSIVolume.StaticProvisioning 1!volume_id 2!volume_capability 3:node_stage_secrets 4:node_publish_secrets 5:volume_context
    mesos.v1.Volume.Source.CSIVolume 1!plugin_name 2:static_provisioning
    mesos.v1.Volume.Source 1:type 2:docker_volume 3:sandbox_path 4:secret 5:host_path 6:csi_volume
    mesos.v1.Volume 1!container_path 2:host_path 3!mode 4:image 5:source
    mesos.v1.NetworkInfo.IPAddress 1:protocol 2:ip_address
    mesos.v1.NetworkInfo.PortMapping 1!host_port 2!container_port 3:protocol
    mesos.v1.NetworkInfo 3:groups 4:labels 5:ip_addresses 6:name 7:port_mappings
    mesos.v1.CapabilityInfo 1:capabilities
    mesos.v1.SeccompInfo 1:profile_name 2:unconfined
    mesos.v1.LinuxInfo 1:capability_info 2:bounding_capabilities 3:effective_capabilities 4:share_pid_namespace 5:seccomp 6:ipc_mode 7:shm_size 8:share_cgroups
    mesos.v1.RLimitInfo.RLimit 1:type 2:hard 3:soft
    mesos.v1.RLimitInfo 1:rlimits
    mesos.v1.TTYInfo.WindowSize 1!rows 2!columns
    mesos.v1.TTYInfo 1:window_size
    mesos.v1.ContainerInfo.DockerInfo.PortMapping 1!host_port 2!container_port 3:protocol
    mesos.v1.ContainerInfo.DockerInfo 1!image 2:network 3:port_mappings 4:privileged 5:parameters 6:force_pull_image 7:volume_driver
    mesos.v1.ContainerInfo.MesosInfo 1:image
    mesos.v1.ContainerInfo 1!type 2:volumes 3:docker 4:hostname 5:mesos 7:network_infos 8:linux_info 9:rlimit_info 10:tty_info
    mesos.v1.CgroupInfo.NetCls 1:classid
    mesos.v1.CgroupInfo 1:net_cls
    mesos.v1.ContainerStatus 1:network_infos 2:cgroup_info 3:executor_pid 4:container_id
    mesos.v1.Device.Number 1!major_number 2!minor_number
    mesos.v1.Device 1:path 2:number
    mesos.v1.Filters 1:refuse_seconds
    mesos.v1.OfferFilters.ResourceQuantities 1:quantities
    mesos.v1.OfferFilters.MinAllocatableResources 1:quantities
    mesos.v1.OfferFilters 1:min_allocatable_resources
    mesos.v1.Request 1:agent_id 2:resources
    mesos.v1.Offer.Operation.Launch 1:task_infos
    mesos.v1.Offer.Operation.LaunchGroup 1!executor 2!task_group
    mesos.v1.Offer.Operation.Reserve 1:resources 2:source
    mesos.v1.Offer.Operation.Unreserve 1:resources
    mesos.v1.Offer.Operation.Create 1:volumes
    mesos.v1.Offer.Operation.Destroy 1:volumes
    mesos.v1.Offer.Operation.GrowVolume 1!volume 2!addition
    mesos.v1.Offer.Operation.ShrinkVolume 1!volume 2!subtract
    mesos.v1.Offer.Operation.CreateDisk 1!source 2!target_type 3:target_profile
    mesos.v1.Offer.Operation.DestroyDisk 1!source
    mesos.v1.Offer.Operation 1:type 2:launch 3:reserve 4:unreserve 5:create 6:destroy 7:launch_group 12:id 13:grow_volume 14:shrink_volume 15:create_disk 16:destroy_disk
    mesos.v1.Offer 1!id 2!framework_id 3!agent_id 4!hostname 5:resources 6:executor_ids 7:attributes 8:url 9:unavailability 10:allocation_info 11:domain
    mesos.v1.InverseOffer 1!id 2:url 3!framework_id 4:agent_id 5!unavailability 6:resources
    mesos.v1.InverseOfferStatus 1!status 2!framework_id 3!timestamp
    mesos.v1.OperationStatus 1:operation_id 2!state 3:message 4:converted_resources 5:uuid 6:agent_id 7:resource_provider_id
    mesos.v1.Operation 1:framework_id 2:agent_id 3!info 4!latest_status 5:statuses 6!uuid
    mesos.v1.master.Call.GetMetrics 1:timeout
    mesos.v1.master.Call.SetLoggingLevel 1!level 2!duration
    mesos.v1.master.Call.ListFiles 1!path
    mesos.v1.master.Call.ReadFile 1!path 2!offset 3:length
    mesos.v1.master.Call.UpdateWeights 1:weight_infos
    mesos.v1.master.Call.ReserveResources 1!agent_id 2:resources 3:source
    mesos.v1.master.Call.UnreserveResources 1!agent_id 2:resources
    mesos.v1.master.Call.CreateVolumes 1!agent_id 2:volumes
    mesos.v1.master.Call.DestroyVolumes 1!agent_id 2:volumes
    mesos.v1.master.Call.GrowVolume 1:agent_id 2!volume 3!addition
    mesos.v1.master.Call.ShrinkVolume 1:agent_id 2!volume 3!subtract
    mesos.v1.master.Call.UpdateMaintenanceSchedule 1!schedule
    mesos.v1.master.Call.StartMaintenance 1:machines
    mesos.v1.master.Call.StopMaintenance 1:machines
    mesos.v1.master.Call.GracePeriod 1:seconds 2:nanos
    mesos.v1.master.Call.DrainAgent 1!agent_id 2:max_grace_period 3:mark_gone
    mesos.v1.master.Call.DeactivateAgent 1!agent_id
    mesos.v1.master.Call.ReactivateAgent 1!agent_id
    mesos.v1.master.Call.UpdateQuota 1:force 2:quota_configs
    mesos.v1.master.Call.SetQuota 1!quota_request
    mesos.v1.master.Call.RemoveQuota 1!role
    mesos.v1.master.Call.Teardown 1!framework_id
    mesos.v1.master.Call.MarkAgentGone 1!agent_id
    mesos.v1.master.Call 1:type 2:get_metrics 3:set_logging_level 4:list_files 5:read_file 6:update_weights 7:reserve_resources 8:unreserve_resources 9:create_volumes 10:destroy_volumes 11:update_maintenance_schedule 12:start_maintenance 13:stop_maintenance 14:set_quota 15:remove_quota 16:teardown 17:mark_agent_gone 18:grow_volume 19:shrink_volume 20:update_quota 21:drain_agent 22:deactivate_agent 23:reactivate_agent
    mesos.v1.master.Response.GetHealth 1!healthy
    mesos.v1.master.Response.GetFlags 1:flags
    mesos.v1.master.Response.GetVersion 1!version_info
    mesos.v1.master.Response.GetMetrics 1:metrics
    mesos.v1.master.Response.GetLoggingLevel 1!level
    mesos.v1.master.Response.ListFiles 1:file_infos
    mesos.v1.master.Response.ReadFile 1!size 2!data
    mesos.v1.master.Response.GetState 1:get_tasks 2:get_executors 3:get_frameworks 4:get_agents
    mesos.v1.master.Response.GetAgents.Agent.ResourceProvider 1!resource_provider_info 2:total_resources
    mesos.v1.master.Response.GetAgents.Agent 1!agent_info 2!active 3!version 4:pid 5:registered_time 6:reregistered_time 7:total_resources 8:allocated_resources 9:offered_resources 10:capabilities 11:resource_providers 12:deactivated 13:drain_info 14:estimated_drain_start_time
    mesos.v1.master.Response.GetAgents 1:agents 2:recovered_agents
    mesos.v1.master.Response.GetFrameworks.Framework 1!framework_info 2!active 3!connected 4:registered_time 5:reregistered_time 6:unregistered_time 7:offers 8:inverse_offers 9:allocated_resources 10:offered_resources 11!recovered 12:offer_constraints
    mesos.v1.master.Response.GetFrameworks 1:frameworks 2:completed_frameworks 3:recovered_frameworks
    mesos.v1.master.Response.GetExecutors.Executor 1!executor_info 2!agent_id
    mesos.v1.master.Response.GetExecutors 1:executors 2:orphan_executors
    mesos.v1.master.Response.GetOperations 1:operations
    mesos.v1.master.Response.GetTasks 1:pending_tasks 2:tasks 3:completed_tasks 4:orphan_tasks 5:unreachable_tasks
    mesos.v1.master.Response.GetRoles 1:roles
    mesos.v1.master.Response.GetWeights 1:weight_infos
    mesos.v1.master.Response.GetMaster 1:master_info 2:start_time 3:elected_time
    mesos.v1.master.Response.GetMaintenanceStatus 1!status
    mesos.v1.master.Response.GetMaintenanceSchedule 1!schedule
    mesos.v1.master.Response.GetQuota 1!status
    mesos.v1.master.Response 1:type 2:get_health 3:get_flags 4:get_version 5:get_metrics 6:get_logging_level 7:list_files 8:read_file 9:get_state 10:get_agents 11:get_frameworks 12:get_executors 13:get_tasks 14:get_roles 15:get_weights 16:get_master 17:get_maintenance_status 18:get_maintenance_schedule 19:get_quota 20:get_operations
    mesos.v1.master.Event.Subscribed 1:get_state 2:heartbeat_interval_seconds
    mesos.v1.master.Event.TaskAdded 1!task
    mesos.v1.master.Event.TaskUpdated 1!framework_id 2!status 3!state
    mesos.v1.master.Event.AgentAdded 1!agent
    mesos.v1.master.Event.AgentRemoved 1!agent_id
    mesos.v1.master.Event.FrameworkAdded 1!framework
    mesos.v1.master.Event.FrameworkUpdated 1!framework
    mesos.v1.master.Event.FrameworkRemoved 1!framework_info
    mesos.v1.master.Event 1:type 2:subscribed 3:task_added 4:task_updated 5:agent_added 6:agent_removed 7:framework_added 8:framework_updated 9:framework_removed
    mesos.v1.Resource.AllocationInfo 1:role
    mesos.v1.Resource.ReservationInfo 1:principal 2:labels 3:role 4:type
    mesos.v1.Resource.DiskInfo.Persistence 1!id 2:principal
    mesos.v1.Resource.DiskInfo.Source.Path 1:root
    mesos.v1.Resource.DiskInfo.Source.Mount 1:root
    mesos.v1.Resource.DiskInfo.Source 1!type 2:path 3:mount 4:id 5:metadata 6:profile 7:vendor
    mesos.v1.Resource.DiskInfo 1:persistence 2:volume 3:source
    mesos.v1.Resource 1!name 2!type 3:scalar 4:ranges 5:set 6:role 7:disk 8:reservation 9:revocable 10:shared 11:allocation_info 12:provider_id 13:reservations
    mesos.v1.scheduler.Event.Subscribed 1!framework_id 2:heartbeat_interval_seconds 3:master_info
    mesos.v1.scheduler.Event.Offers 1:offers
    mesos.v1.scheduler.Event.InverseOffers 1:inverse_offers
    mesos.v1.scheduler.Event.Rescind 1!offer_id
    mesos.v1.scheduler.Event.RescindInverseOffer 1!inverse_offer_id
    mesos.v1.scheduler.Event.Update 1!status
    mesos.v1.scheduler.Event.UpdateOperationStatus 1!status
    mesos.v1.scheduler.Event.Message 1!agent_id 2!executor_id 3!data
    mesos.v1.scheduler.Event.Failure 1:agent_id 2:executor_id 3:status
    mesos.v1.scheduler.Event.Error 1!message
    mesos.v1.scheduler.Event 1:type 2:subscribed 3:offers 4:rescind 5:update 6:message 7:failure 8:error 9:inverse_offers 10:rescind_inverse_offer 11:update_operation_status
    mesos.v1.scheduler.AttributeConstraint.Selector 1:pseudoattribute_type 2:attribute_name
    mesos.v1.scheduler.AttributeConstraint.Predicate.TextEquals 1!value
    mesos.v1.scheduler.AttributeConstraint.Predicate.TextNotEquals 1!value
    mesos.v1.scheduler.AttributeConstraint.Predicate.TextMatches 1!regex
    mesos.v1.scheduler.AttributeConstraint.Predicate.TextNotMatches 1!regex
    mesos.v1.scheduler.AttributeConstraint.Predicate 1:exists 2:not_exists 3:text_equals 4:text_not_equals 5:text_matches 6:text_not_matches
    mesos.v1.scheduler.AttributeConstraint 1!selector 2!predicate
    mesos.v1.scheduler.OfferConstraints.RoleConstraints.Group 1:attribute_constraints
    mesos.v1.scheduler.OfferConstraints.RoleConstraints 1:groups
    mesos.v1.scheduler.OfferConstraints 1:role_constraints
    mesos.v1.scheduler.Call.Subscribe 1!framework_info 2:suppressed_roles 3:offer_constraints
    mesos.v1.scheduler.Call.Accept 1:offer_ids 2:operations 3:filters
    mesos.v1.scheduler.Call.Decline 1:offer_ids 2:filters
    mesos.v1.scheduler.Call.AcceptInverseOffers 1:inverse_offer_ids 2:filters
    mesos.v1.scheduler.Call.DeclineInverseOffers 1:inverse_offer_ids 2:filters
    mesos.v1.scheduler.Call.Revive 1:roles
    mesos.v1.scheduler.Call.Suppress 1:roles
    mesos.v1.scheduler.Call.Kill 1!task_id 2:agent_id 3:kill_policy
    mesos.v1.scheduler.Call.Shutdown 1!executor_id 2!agent_id
    mesos.v1.scheduler.Call.Acknowledge 1!agent_id 2!task_id 3!uuid
    mesos.v1.scheduler.Call.AcknowledgeOperationStatus 1:agent_id 2:resource_provider_id 3!uuid 4!operation_id
    mesos.v1.scheduler.Call.Reconcile.Task 1!task_id 2:agent_id
    mesos.v1.scheduler.Call.Reconcile 1:tasks
    mesos.v1.scheduler.Call.ReconcileOperations.Operation 1!operation_id 2:agent_id 3:resource_provider_id
    mesos.v1.scheduler.Call.ReconcileOperations 1:operations
    mesos.v1.scheduler.Call.Message 1!agent_id 2!executor_id 3!data
    mesos.v1.scheduler.Call.Request 1:requests
    mesos.v1.scheduler.Call.UpdateFramework 1!framework_info 2:suppressed_roles 3:offer_constraints
    mesos.v1.scheduler.Call 1:framework_id 2:type 3:subscribe 4:accept 5:decline 6:kill 7:shutdown 8:acknowledge 9:reconcile 10:message 11:request 13:accept_inverse_offers 14:decline_inverse_offers 15:revive 16:suppress 17:acknowledge_operation_status 18:reconcile_operations 19:update_framework
    mesos.v1.scheduler.Response.ReconcileOperations 1:operation_statuses
    mesos.v1.scheduler.Response 1:type 2:reconcile_operations
    mesos.v1.Environment.Variable 1!name 2:value 3:type 4:secret
    mesos.v1.Environment 1:variables
    mesos.v1.CommandInfo.URI 1!value 2:executable 3:extract 4:cache 5:output_file
    mesos.v1.CommandInfo 1:uris 2:environment 3:value 5:user 6:shell 7:arguments
    mesos.v1.KillPolicy 1:grace_period
    mesos.v1.CheckInfo.Command 1!command
    mesos.v1.CheckInfo.Http 1!port 2:path
    mesos.v1.CheckInfo.Tcp 1!port
    mesos.v1.CheckInfo 1:type 2:command 3:http 4:delay_seconds 5:interval_seconds 6:timeout_seconds 7:tcp
    mesos.v1.CheckStatusInfo.Command 1:exit_code
    mesos.v1.CheckStatusInfo.Http 1:status_code
    mesos.v1.CheckStatusInfo.Tcp 1:succeeded
    mesos.v1.CheckStatusInfo 1:type 2:command 3:http 4:tcp
    mesos.v1.HealthCheck.HTTPCheckInfo 1!port 2:path 3:scheme 4:statuses 5:protocol
    mesos.v1.HealthCheck.TCPCheckInfo 1!port 2:protocol
    mesos.v1.HealthCheck 1:http 2:delay_seconds 3:interval_seconds 4:timeout_seconds 5:consecutive_failures 6:grace_period_seconds 7:command 8:type 9:tcp
    mesos.v1.Port 1!number 2:name 3:protocol 4:visibility 5:labels
    mesos.v1.Ports 1:ports
    mesos.v1.DiscoveryInfo 1!visibility 2:name 3:environment 4:location 5:version 6:ports 7:labels
    mesos.v1.ExecutorInfo 1!executor_id 4:data 5:resources 7:command 8:framework_id 9:name 10:source 11:container 12:discovery 13:shutdown_grace_period 14:labels 15:type
    mesos.v1.TaskInfo 1!name 2!task_id 3!agent_id 4:resources 5:executor 6:data 7:command 8:health_check 9:container 10:labels 11:discovery 12:kill_policy 13:check 14:max_completion_time 15:limits
    mesos.v1.TaskGroupInfo 1:tasks
    mesos.v1.TaskResourceLimitation 1:resources
    mesos.v1.TaskStatus 1!task_id 2!state 3:data 4:message 5:agent_id 6:timestamp 7:executor_id 8:healthy 9:source 10:reason 11:uuid 12:labels 13:container_status 14:unreachable_time 15:check_status 16:limitation
    mesos.v1.Task 1!name 2!task_id 3!framework_id 4:executor_id 5!agent_id 6!state 7:resources 8:statuses 9:status_update_state 10:status_update_uuid 11:labels 12:discovery 13:container 14:user 15:health_check 16:kill_policy 17:limits
    """
