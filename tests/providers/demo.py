#!/usr/bin/env python3
"""
What `make demo` shows: a broker, the bridge on config/demo.json and a stand-in for each provider are started; the bridge
is registered with them, every event of every catalogue is fired, and what arrives at a subscriber is printed.

    tests/providers/demo.py [--folder build/demo] [PROGRAM]

Ends with 0 if all events arrived, byte for byte but for what is masked and once each, else with 1. Nothing is left running.
"""

import argparse
import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.broker import Broker  # noqa: E402
from lib.wait import free_port, wait_until  # noqa: E402
from providers import creads, ricloud, weavy  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config/demo.json"
STOP_S = 10
ARRIVE_S = 15


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/demo", help="default build/demo")
    parser.add_argument("program", nargs="?", default=ROOT / "build/hook2mqtt", help="default build/hook2mqtt")
    options = parser.parse_args()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: sys.exit(1))  # through the stack's end
    os.environ["PATH"] += os.pathsep + "/usr/sbin"  # where Debian has Mosquitto
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        demo = Demo(stack, options.folder, pathlib.Path(options.program).resolve())
        demo.play_creads()
        demo.play_ricloud()
        demo.play_weavy()
        demo.stop_bridge()
    return demo.result()


class Demo:
    def __init__(self, stack, folder, program):
        self.folder, self.program = folder, program
        self.arrived = []  # payloads
        self.sent = []  # deliveries
        say("== A broker, a stand-in for each provider, and the bridge on config/demo.json")
        broker = Broker(folder)
        stack.callback(broker.kill)
        broker.start()
        self.providers = {
            one.NAME: one(**options) for one, options in (
                (creads.Creads, {}), (ricloud.Ricloud, {"token": "demo-token"}), (weavy.Weavy, {"password": "demo-password"})
            )
        }
        for one in self.providers.values():
            stack.callback(one.close)
        self.env = self.environment(broker)
        self.watch(stack, broker)
        self.start_bridge(stack)
        for name, url in {"broker": broker.url, "bridge": self.bridge_url,
                          **{name: one.url for name, one in self.providers.items()}}.items():
            say(f"   {name:8} {url}")

    def environment(self, broker):
        port = free_port()
        self.bridge_url = f"http://127.0.0.1:{port}"
        # As a user: adds a webhook in the Developer menu, and gives the bridge the secret that it shows.
        webhook = self.providers["creads"].add_webhook(f"{self.bridge_url}/webhooks/partners")
        return {
            **os.environ,
            "DEMO_DIR": str(self.folder),
            "DEMO_PORT": str(port),
            "DEMO_BROKER_PORT": str(broker.port),
            "DEMO_RICLOUD_PORT": str(self.providers["ricloud"].port),
            "DEMO_WEAVY_PORT": str(self.providers["weavy"].port),
            "PARTNERS_SECRET": webhook.secret,
            "RICLOUD_TOKEN": "demo-token",
            "WEAVY_PASSWORD": "demo-password",
            "WEAVY_PATH": secrets.token_hex(8),
        }

    def watch(self, stack, broker):
        """Prints what arrives, a line each."""
        command = ["mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-q", "2", "-t", "#", "-F", "%t\t%p"]
        process = self.start(stack, command, stdout=subprocess.PIPE)
        threading.Thread(target=self.read, args=(process.stdout,), daemon=True).start()
        wait_until(lambda: "SUBACK" in broker.log_text(), "mosquitto_sub is subscribed", STOP_S)

    def read(self, lines):
        width = shutil.get_terminal_size((150, 24)).columns
        for line in lines:
            topic, _, payload = line.rstrip(b"\n").partition(b"\t")
            if not topic.startswith(b"hook2mqtt/"):
                self.arrived.append(payload)
                say(f"   {topic.decode():52}  {payload.decode()}"[: width - 2])

    def start_bridge(self, stack):
        log = stack.enter_context(open(self.folder / "bridge.log", "wb"))
        self.bridge = self.start(stack, [self.program, "run", "-c", CONFIG], stdout=log, stderr=log)
        wait_until(self.is_ready, f"the bridge is ready; see {log.name}", STOP_S)

    def is_ready(self):
        if self.bridge.poll() is not None:
            sys.exit(f"the bridge ended:\n{(self.folder / 'bridge.log').read_text()}")
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.bridge_url}/readyz", timeout=STOP_S).status == 200

    def start(self, stack, command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=self.env, **options)
        stack.callback(stop, process)
        return process

    def stop_bridge(self):
        self.bridge.terminate()
        if self.bridge.wait(STOP_S) != 0:
            sys.exit(f"the bridge ended with {self.bridge.returncode}; see {self.folder}/bridge.log")

    # One after the other

    def play_creads(self):
        say("\n== Creads Partners: the webhook and its secret come from its Developer menu")
        self.fire("creads")

    def play_ricloud(self):
        say("\n== ricloud: creates a webhook config, stores its secret, is tested, is used for the key")
        self.command("ricloud", "create")
        config = self.providers["ricloud"].configs[0]
        self.command("ricloud", "use", str(config["id"]))
        self.fire("ricloud")
        self.command("ricloud", "delete", str(config["id"]))

    def play_weavy(self):
        say("\n== weavy: subscribes to each event, at a URL of its own")
        self.command("weavy", "subscribe", "--all")
        self.fire("weavy")
        self.command("weavy", "unsubscribe", "--all")

    def fire(self, name):
        provider = self.providers[name]
        events = provider.catalogue()
        say(f"   {len(events)} events:")
        fired = [one for event in events for one in provider.fire(event)]
        for one in fired:
            one.over.wait(ARRIVE_S)
        # Tests of ricloud are events as well; one that came before the bridge knew the secret was refused.
        self.sent += [one for one in provider.deliveries if one in fired or one.state == "delivered"]
        with contextlib.suppress(AssertionError):  # result() counts what is missing
            wait_until(lambda: len(self.arrived) >= len(self.sent), "all arrived", ARRIVE_S)

    def command(self, *args):
        say(f"   $ hook2mqtt provider {' '.join(args)}")
        done = subprocess.run(
            [self.program, "-c", CONFIG, "provider", *args], env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )
        for line in done.stdout.splitlines():
            say(f"     {line}")
        if done.returncode != 0:
            sys.exit(f"   ended with {done.returncode}")

    def result(self):
        """0 if each event has arrived once, unchanged, and nobody is subscribed any more."""
        say(f"\n{len(self.sent)} events sent, {len(self.arrived)} arrived")
        sent = [one.shown() for one in self.sent]
        for one, body in zip(self.sent, sent, strict=True):
            if body not in self.arrived:
                say(f"   missing: {one.name}")
        wanted = sum(len(one.catalogue()) for one in self.providers.values())
        left = self.providers["ricloud"].configs or self.providers["weavy"].subscriptions
        return 0 if sorted(sent, key=str) == sorted(self.arrived, key=str) and len(sent) >= wanted and not left else 1


def stop(process):
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def say(text):
    print(text + "\n", end="", flush=True)  # in one piece: two threads speak


if __name__ == "__main__":
    sys.exit(main())
