"""An MQTT 5 client that keeps every message it gets, in the order of arrival."""

import dataclasses
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from lib.wait import DEADLINE_S


@dataclasses.dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool  # as published; for one that the broker had kept, always true
    user: list  # MQTT 5 user properties: (name, value), in order
    content_type: str
    expiry_s: int

    def property(self, name):
        """The only user property of that name, or None."""
        values = [value for key, value in self.user if key == name]
        assert len(values) <= 1, f"{name} comes {len(values)} times"
        return values[0] if values else None


class Subscriber:
    """Connected and subscribed when the constructor returns."""

    def __init__(self, broker, topic="#", *, qos=2, username=None, password=None, tls=None):
        self.changed = threading.Condition()
        self.all = []
        self.subscribed = False
        self.client = mqtt.Client(protocol=mqtt.MQTTv5)
        if username:
            self.client.username_pw_set(username, password)
        if tls:
            self.client.tls_set(**tls)
        options = SubscribeOptions(qos=qos, retainAsPublished=True)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, options=options)
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        limits = Properties(PacketTypes.CONNECT)
        limits.ReceiveMaximum = 65535
        self.client.connect(broker.host, broker.port, clean_start=True, properties=limits)
        self.client.loop_start()
        self._wait(lambda: self.subscribed, "subscribed", DEADLINE_S)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def under(self, prefix):
        """Messages whose topic starts with prefix."""
        with self.changed:
            return [message for message in self.all if message.topic.startswith(prefix)]

    def on(self, topic):
        with self.changed:
            return [message for message in self.all if message.topic == topic]

    def clear(self):
        with self.changed:
            self.all.clear()

    def wait(self, condition, what, deadline_s=DEADLINE_S):
        """Returns the first true value of condition(), looked at after each message."""
        return self._wait(condition, what, deadline_s)

    def wait_for(self, topic, count=1):
        """The first `count` messages on a topic."""
        return self.wait(
            lambda: len(found := self.on(topic)) >= count and found, f"{count} messages on {topic}"
        )

    def wait_under(self, prefix, count):
        return self.wait(
            lambda: len(found := self.under(prefix)) >= count and found,
            f"{count} messages under {prefix}",
        )

    def _wait(self, condition, what, deadline_s):
        end = time.monotonic() + deadline_s
        with self.changed:
            while not (value := condition()):
                if not self.changed.wait(end - time.monotonic()):
                    raise AssertionError(f"not within {deadline_s:g} s: {what}; {self._summary()}")
            return value

    def _summary(self):
        topics = [message.topic for message in self.all]
        return f"{len(topics)} messages: {topics[:20]}{' …' if len(topics) > 20 else ''}"

    def _on_subscribe(self, _client, _data, _mid, reasons, *_):
        with self.changed:
            self.subscribed = all(reason.value < 0x80 for reason in reasons)
            self.changed.notify_all()

    def _on_message(self, _client, _data, message):
        properties = message.properties
        kept = Message(
            topic=message.topic,
            payload=message.payload,
            qos=message.qos,
            retain=bool(message.retain),
            user=list(getattr(properties, "UserProperty", [])),
            content_type=getattr(properties, "ContentType", None),
            expiry_s=getattr(properties, "MessageExpiryInterval", None),
        )
        with self.changed:
            self.all.append(kept)
            self.changed.notify_all()


def retained(broker, topic, **options):
    """What a new subscriber finds: {topic: Message} of the retained messages that match."""
    fence = "tests/fence"
    subscriber = Subscriber(broker, topic, qos=1, **options)  # at 2 the fence would overtake
    try:
        # The broker sends what it retains before it handles the next packet of the same client.
        subscriber.client.subscribe(fence, options=SubscribeOptions(qos=1))
        subscriber.client.publish(fence, b"", qos=1)
        subscriber.wait_for(fence)
        return {message.topic: message for message in subscriber.under("") if message.topic != fence}
    finally:
        subscriber.close()
