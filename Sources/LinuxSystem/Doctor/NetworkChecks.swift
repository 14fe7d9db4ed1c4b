import Glibc

extension HostDoctor {
    static func nftables(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "nftables", title: "packet filter (nf_tables)",
            neededFor: "networks of containers: published ports and translation of addresses")
        switch abilities.nftables {
        case .worked:
            guard abilities.has(.networkAdministration) else {
                var check = subject.limited(
                    "can be used inside a user namespace; the machine's own rules only by root",
                    advice: "\(abilities.howToGetRights), where tasks publish ports")
                check.needsRoot = true
                return check
            }
            return subject.ok("can be used")
        case .notTried:
            if host.module("nf_tables") == .loadable {
                return subject.ok("a module that is loaded at its first use")
            }
            return subject.limited("not tried", advice: "run the command again")
        case .failed(_, let error):
            if error == EINVAL || error == EPROTONOSUPPORT || error == EOPNOTSUPP {
                return subject.missing(
                    "the kernel does not have it",
                    advice: "modprobe nf_tables, or boot a kernel that is built with NF_TABLES")
            }
            var check = subject.limited(
                "not known (\(abilities.nftables.words))", advice: abilities.howToGetRights)
            check.needsRoot = !abilities.isRoot
            return check
        }
    }

    static func forwardingIPv4(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "forwarding-ipv4", title: "forwarding of IPv4", neededFor: "networks of containers")
        switch host.number("/proc/sys/net/ipv4/ip_forward") {
        case nil: return subject.missing("no /proc/sys/net/ipv4", advice: "boot a kernel with IPv4")
        case 0?:
            return subject.limited(
                "off", advice: "sysctl net.ipv4.ip_forward=1, and the same in /etc/sysctl.d")
        case _?: return subject.ok("on")
        }
    }

    static func forwardingIPv6(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "forwarding-ipv6", title: "forwarding of IPv6", neededFor: "networks of containers with IPv6")
        guard let setting = host.number("/proc/sys/net/ipv6/conf/all/forwarding"),
            host.number("/proc/sys/net/ipv6/conf/all/disable_ipv6") != 1
        else {
            return subject.missing(
                "IPv6 is off", advice: "sysctl net.ipv6.conf.all.disable_ipv6=0, or boot without ipv6.disable=1")
        }
        return setting == 0
            ? subject.limited(
                "off",
                advice: "sysctl net.ipv6.conf.all.forwarding=1, and accept_ra=2 where addresses come from routers")
            : subject.ok("on")
    }
}
