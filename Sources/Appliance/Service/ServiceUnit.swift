/// The unit of the service, as `Provisioning/rondo.service` and `install.sh` have it too; a test compares them.
package enum ServiceUnit {
    static let name = "rondo.service"
    package static let path = "/etc/systemd/system/rondo.service"

    /// Whether a unit can hold a program's path as it is, without quoting or specifiers.
    package static func canName(_ program: String) -> Bool {
        program.hasPrefix("/")
            && program.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "/._-+".utf8.contains(byte)
                }
            }
    }

    /// The unit's text for a program at a path.
    package static func text(program: String) -> String {
        """
        # Runs this machine's node of a Rondo cluster. /etc/rondo/rondo.env says which: RONDO_NODE holds the words after
        # `rondo cluster`; every other RONDO_ variable there is a setting, as `rondo config` lists them.
        [Unit]
        Description=Rondo cluster node
        AssertPathExists=/etc/rondo/rondo.env
        # Not network-online.target: a node needs no network to start, and its peers find it when there is one.
        After=network.target nftables.service firewalld.service
        # An agent waits for its master for as long as it takes.
        StartLimitIntervalSec=0

        [Service]
        # It says when it is a member of its cluster, and takes commands.
        Type=notify
        TimeoutStartSec=180
        EnvironmentFile=/etc/rondo/rondo.env
        ExecStart=\(program) cluster $RONDO_NODE
        Restart=on-failure
        RestartSec=3
        # A wrong setting (64) and a refused token (77) do not get better by trying again.
        RestartPreventExitStatus=64 77
        # It was stopped before it had begun.
        SuccessExitStatus=143
        # Tasks and their monitors live on when the node stops or is replaced, and the next one takes them over.
        KillMode=process
        TimeoutStopSec=60
        # Control groups below are the node's own, and a task that runs out of memory is the node's affair.
        Delegate=yes
        OOMPolicy=continue
        TasksMax=infinity
        LimitNOFILE=1024:1048576
        LimitNPROC=infinity
        # What no task may do to its machine, root or not. There is no file system, system call or device protection
        # here: tasks are made by this process and would inherit it, and what a private mount namespace hides,
        # containers could not use.
        CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_TIME CAP_WAKE_ALARM CAP_MAC_ADMIN CAP_MAC_OVERRIDE

        [Install]
        WantedBy=multi-user.target

        """
    }
}
