"""Plays systemd's manager on a message bus, with GLib's D-Bus library: writes down what it is asked, with all types.

    /usr/bin/python3 Tests/System/systemd_service.py ADDRESS LOG MODE

MODE says how jobs go: `done`, `early` (they end before the call is answered), `failed`, or `exists` (every unit is
there already). It groups no processes. The line "ready" on stdout says that it can be asked.
"""

import json
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

INTERFACE = """
<node><interface name="org.freedesktop.systemd1.Manager">
<property name="Version" type="s" access="read"/><property name="ControlGroup" type="s" access="read"/>
<method name="StartTransientUnit"><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="a(sv)" direction="in"/><arg type="a(sa(sv))" direction="in"/><arg type="o" direction="out"/></method>
<method name="StopUnit"><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="o" direction="out"/></method>
<method name="ResetFailedUnit"><arg type="s" direction="in"/></method>
<method name="SetUnitProperties"><arg type="s" direction="in"/><arg type="b" direction="in"/>
<arg type="a(sv)" direction="in"/></method>
<method name="AttachProcessesToUnit"><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="au" direction="in"/></method>
<signal name="JobRemoved"><arg type="u"/><arg type="o"/><arg type="s"/><arg type="s"/></signal>
</interface></node>
"""
PATH = "/org/freedesktop/systemd1"
NAME = "org.freedesktop.systemd1"


class Manager:
    def __init__(self, address, log, mode):
        self.log, self.mode, self.jobs = open(log, "a"), mode, 0
        flags = Gio.DBusConnectionFlags
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None
        )
        interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        self.bus.register_object(PATH, interface, self.call, self.get, None)
        ready, lost = lambda *_: print("ready", flush=True), lambda *_: sys.exit("the name is taken")
        Gio.bus_own_name_on_connection(self.bus, NAME, Gio.BusNameOwnerFlags.NONE, ready, lost)

    def get(self, _bus, _sender, _path, _interface, name):
        return GLib.Variant("s", {"Version": "252.1-test", "ControlGroup": "/"}[name])

    def write(self, member, arguments):
        """Values that are properties come as {name: [type, value as text]}."""
        words = []
        for index in range(arguments.n_children()):
            each = arguments.get_child_value(index)
            if each.get_type_string() == "a(sv)":
                pairs = [each.get_child_value(at) for at in range(each.n_children())]
                found = {}
                for pair in pairs:
                    value = pair.get_child_value(1).get_variant()
                    found[pair.get_child_value(0).get_string()] = [value.get_type_string(), value.print_(False)]
                words.append(found)
            else:
                words.append(each.unpack())
        self.log.write(json.dumps([member, words]) + "\n")
        self.log.flush()

    def call(self, _bus, sender, _path, _interface, member, arguments, invocation):
        self.write(member, arguments)
        if member not in ("StartTransientUnit", "StopUnit"):
            invocation.return_value(None)
            return
        if member == "StartTransientUnit" and self.mode == "exists":
            invocation.return_dbus_error(NAME + ".UnitExists", "the unit was already loaded")
            return
        if member == "StopUnit" and self.mode in ("exists", "failed"):
            invocation.return_dbus_error(NAME + ".NoSuchUnit", "the unit is not loaded")
            return
        self.jobs += 1
        job = "%s/job/%d" % (PATH, self.jobs)
        result = "failed" if self.mode == "failed" else "done"
        end = GLib.Variant("(uoss)", (self.jobs, job, arguments.get_child_value(0).get_string(), result))
        # Somebody else's job, that of another unit, must not be taken for it.
        other = GLib.Variant("(uoss)", (99, PATH + "/job/99", "other.scope", "failed"))
        signals = [other, end]
        if self.mode != "early":
            invocation.return_value(GLib.Variant("(o)", (job,)))
        for each in signals:
            self.bus.emit_signal(None, PATH, NAME + ".Manager", "JobRemoved", each)
        if self.mode == "early":
            invocation.return_value(GLib.Variant("(o)", (job,)))


if __name__ == "__main__":
    manager = Manager(*sys.argv[1:])
    GLib.MainLoop().run()
