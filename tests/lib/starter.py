"""Starts brokers, bridges, clients and whatever else a test needs, and stops them all."""

import contextlib
import pathlib

from lib import bridge as bridge_module
from lib.broker import Broker
from lib.mqtt_server import MqttServer
from lib.proxy import Proxy
from lib.subscriber import Subscriber


class Starter:
    """Starts things in a folder; close() stops them all, last first, even if one of them fails to."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.stack = contextlib.ExitStack()
        self.counts = {}

    def close(self):
        self.stack.close()

    def broker(self, **options):
        broker = Broker(self._new_folder("broker"), **options)
        self.stack.callback(broker.kill)
        return broker.start()

    def bridge(self, broker=None, config=None, *, start=True, **options):
        bridge = bridge_module.Bridge(self._new_folder("bridge"), broker, config, **options)
        self.stack.callback(self._finish_bridge, bridge)
        return bridge.start() if start else bridge

    def subscriber(self, broker, topic="#", **options):
        subscriber = Subscriber(broker, topic, **options)
        self.stack.callback(subscriber.close)
        return subscriber

    def proxy(self, target, **options):
        """target: a broker, or a (host, port)."""
        address = target if isinstance(target, tuple) else (target.host, target.port)
        proxy = Proxy(address, **options)
        self.stack.callback(proxy.close)
        return proxy

    def mqtt_server(self, on_publish=None, **options):
        server = MqttServer(on_publish, **options)
        self.stack.callback(server.close)
        return server

    def _new_folder(self, kind):
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.folder / f"{kind}{number}"

    @staticmethod
    def _finish_bridge(bridge):
        # Printed, so that pytest shows it with a failure.
        with contextlib.suppress(OSError):
            print(f"--- {bridge.stderr_file}:\n{bridge.stderr_file.read_text(errors='replace')[-20000:]}")
        bridge.finish()
