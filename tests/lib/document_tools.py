#!/usr/bin/python3
"""
Stands in for the tools that documents use and that would change the machine. The name it is called by says which one.

Each does the nearest real thing inside of DOCUMENT_FOLDER: packages are looked up in apt's lists, the unit file is
verified by systemd and its command started, the containers' own configurations are run without containers.
"""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3 as sqlite
import subprocess
import sys
import time

FOLDER = pathlib.Path(os.environ["DOCUMENT_FOLDER"])
PROGRAM = os.environ["DOCUMENT_PROGRAM"]
ETC, STATE = FOLDER / "etc/hook2mqtt", FOLDER / "var/lib/hook2mqtt"
UNIT = FOLDER / "lib/systemd/system/hook2mqtt.service"
DEADLINE_S = 30


def run(*command, **options):
    return subprocess.run([*map(str, command)], check=True, **options)


def real(tool):
    """The tool of that name behind this one, or None."""
    for folder in os.environ["PATH"].split(":"):
        path = os.path.join(folder, tool)
        if os.access(path, os.X_OK) and os.path.realpath(path) != os.path.realpath(__file__):
            return path
    return None


def wait_until(condition, what):
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > give_up:
            sys.exit(f"gave up waiting until {what}")
        time.sleep(0.02)


def spawn(command, log, env=None):
    with open(FOLDER / log, "ab") as output:
        return subprocess.Popen(
            [*map(str, command)], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def broker_answers(port=1883):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def run_mosquitto(args, port):
    """In place of the one before."""
    stop_mosquitto()
    process = spawn(["mosquitto", *args], "mosquitto.log")
    (FOLDER / "mosquitto.pid").write_text(str(process.pid))
    wait_until(lambda: process.poll() is not None or broker_answers(port), "the broker listens")
    if process.poll() is not None:
        sys.exit((FOLDER / "mosquitto.log").read_text())


def stop_mosquitto():
    file = FOLDER / "mosquitto.pid"
    if file.exists():
        os.kill(int(file.read_text()), signal.SIGKILL)
        file.unlink()
        wait_until(lambda: not broker_answers(1883) and not broker_answers(8883), "the broker has ended")


def debian_mosquitto():
    """As Debian configures it: what is in conf.d counts. As root, who may read what the user mosquitto may."""
    folder = FOLDER / "etc/mosquitto"
    config = folder / "mosquitto.conf"
    config.write_text(f"user root\ninclude_dir {folder}/conf.d\n")
    [port] = re.findall(r"^listener (\d+)", "".join(one.read_text() for one in (folder / "conf.d").iterdir()), re.MULTILINE)
    run_mosquitto(["-c", config], int(port))


def sudo(args):
    """Here is one user for all."""
    if args[:2] == ["-u", "hook2mqtt"]:
        args = args[2:]
    os.execvp(args[0], args)


def apt_get(args):
    names = [arg for arg in args if not arg.startswith("-")]
    if names == ["update"]:
        return
    assert names[0] == "install", args
    for name in names[1:]:
        if not is_installed(name):
            run("apt-cache", "show", "--quiet", name, stdout=subprocess.DEVNULL)
    if "mosquitto" in names:  # Debian starts it at once, for this machine only
        run_mosquitto(["-p", "1883"], 1883)


def is_installed(name):
    return subprocess.run(["dpkg-query", "-W", name], capture_output=True, check=False).returncode == 0


def make(args):
    targets = [arg for arg in args if "=" not in arg and not arg.startswith("-")]
    if set(targets) & {"install", "uninstall"}:
        args = [*args, f"DESTDIR={FOLDER}", "PREFIX=/usr/local"]
    elif not set(targets) <= {"run"}:
        args = ["-n", *args]  # it is what runs this
    os.execv(real("make"), ["make", *args])


def mosquitto_sub(args):
    """Says when it has subscribed; at once, into a file as on a terminal."""
    os.execvp("stdbuf", ["stdbuf", "-oL", real("mosquitto_sub"), "-d", *args])


def hook2mqtt(args):
    """With the default configuration where this folder has it."""
    if not {"-c", "--config", "--help"} & set(args):
        file = moved_config(ETC / "bridge.json") if (ETC / "bridge.json").exists() else FOLDER / "running/bridge.json"
        args = ["-c", str(file), *args]
    os.execv(PROGRAM, ["hook2mqtt", *args])


def sqlite3(args):
    """The library has what the command's .backup does."""
    file, command = args
    target = re.fullmatch(r"\.backup '(.+)'", command)[1]
    with sqlite.connect(f"file:{file}?mode=ro", uri=True) as source, sqlite.connect(target) as copy:
        source.backup(copy)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# systemd: one service, and what the unit says about it.


def pid():
    try:
        return int((FOLDER / "bridge.pid").read_text())
    except FileNotFoundError:
        return None


def verify_unit():
    """By systemd itself, once. Units that it mentions are not in this folder."""
    verified = FOLDER / "verified"
    if verified.exists():
        return
    verified.touch()
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={FOLDER}", UNIT], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "hook2mqtt.service" in line]
    if any("not found" not in line for line in complaints):
        sys.exit("\n".join(complaints))


def service_env():
    """What systemd gives the bridge and ExecReload=."""
    return {"PATH": os.environ["PATH"], "RUNTIME_DIRECTORY": str(FOLDER / "run/hook2mqtt")}


def install(args):
    """Without the group that sysusers makes of the installed file, where this machine does not have it."""
    if "-g" in args:
        group = args[args.index("-g") + 1]
        if group == "hook2mqtt":
            assert "u hook2mqtt " in (FOLDER / "usr/lib/sysusers.d/hook2mqtt.conf").read_text()
            at = args.index("-g")
            args = args[:at] + args[at + 2 :]
    os.execv(real("install"), ["install", *args])


def moved_config(file):
    """A copy of it, whose paths are in this folder, beside the environment that it has there."""
    text = re.sub(r"(?<![\w.])(/etc/hook2mqtt|/var/lib/hook2mqtt|/run/hook2mqtt)", rf"{FOLDER}\1", file.read_text())
    if '"outbox"' not in text:
        text = text.replace("{\n", f'{{ "outbox": {{ "path": "{STATE}/outbox.db" }},\n', 1)
    copy = FOLDER / "running/bridge.json"
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(text)
    link = copy.with_name("environment")
    link.unlink(missing_ok=True)
    link.symlink_to(file.with_name("environment"))
    return copy


def start_bridge(config, env, program=PROGRAM):
    file = moved_config(config)
    run(program, "check", "-c", file, env=env, stdout=subprocess.DEVNULL)
    process = spawn([program, "run", "-c", file], "journal", env)
    (FOLDER / "bridge.pid").write_text(str(process.pid))
    wait_until(lambda: process.poll() is not None or is_ready(file), "the bridge is ready")
    if process.poll() is not None:
        sys.exit(journal())


def is_ready(config):
    return subprocess.run(
        [PROGRAM, "-c", str(config), "health", "--ready"], capture_output=True, check=False
    ).returncode == 0


def stop_bridge():
    if pid():
        os.kill(pid(), signal.SIGTERM)
        wait_until(is_outbox_free, "the bridge has ended")
        (FOLDER / "bridge.pid").unlink()


def is_outbox_free():
    """A process that has ended is still there in this namespace, as nobody asks for its exit status."""
    with open(STATE / "outbox.db", "rb") as outbox:
        try:
            fcntl.flock(outbox, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def systemctl(args):
    verb = [arg for arg in args if not arg.startswith("-")]
    if verb[0] == "cleanup":
        stop_bridge()
        return
    if "mosquitto" in verb:
        verb.remove("mosquitto")
        {"restart": debian_mosquitto, "stop": stop_mosquitto}[verb[0]]()
        if len(verb) == 1:
            return
    if verb[0] != "daemon-reload":
        assert verb[1] == "hook2mqtt", args
        assert UNIT.exists(), "it is not installed"
        verify_unit()
    if verb[0] in ("stop", "restart"):
        stop_bridge()
    if verb[0] in ("start", "restart") or verb[0] == "enable" and "--now" in args:
        start_bridge(ETC / "bridge.json", service_env(), FOLDER / "usr/local/bin/hook2mqtt")
    elif verb[0] == "reload":
        moved_config(ETC / "bridge.json")
        [line] = re.findall(r"^ExecReload=(.*)$", UNIT.read_text(), re.MULTILINE)
        words = line.replace("$MAINPID", str(pid())).split()
        run(f"{FOLDER}{words[0]}", *words[1:], env=service_env())
    elif verb[0] not in ("stop", "enable", "daemon-reload", "status"):
        sys.exit(f"systemctl: {args}")


def journal():
    return (FOLDER / "journal").read_text()


def journalctl(args):
    assert args[:2] == ["-u", "hook2mqtt"], args
    print(journal())


# Containers: the same programs and configurations, without the walls.


def docker_compose(args):
    compose = pathlib.Path("docker-compose.yml").read_text()
    folders = re.findall(r"\./(config/docker/\S+?):(\S+):ro", compose)
    assert [inside for _, inside in folders] == ["/etc/hook2mqtt", "/mosquitto/config"]
    for folder in [folder for folder, _ in folders]:
        assert pathlib.Path(folder).is_dir(), folder
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]+)\}", compose))
    env = {**os.environ, **defaults}
    env_file = pathlib.Path(".env")
    if env_file.exists():
        env.update(line.split("=", 1) for line in env_file.read_text().splitlines())
    if args in (["up", "-d"], ["up", "-d", "--force-recreate"]):
        if real("docker-compose"):
            run(real("docker-compose"), "config", "--quiet", env=env)
        start_broker(env)
        start_bridge(container_config(), env)
    elif args[:2] == ["exec", "bridge"]:
        assert args[2] == "hook2mqtt", args
        os.execve(PROGRAM, ["hook2mqtt", "-c", str(FOLDER / "running/bridge.json"), *args[3:]], env)
    elif args == ["logs", "bridge"]:
        print(journal())
    elif args == ["down"]:
        stop_bridge()
    elif args[:3] == ["kill", "-s", "HUP"]:
        said = len(journal())
        moved_config(container_config())
        os.kill(pid(), signal.SIGHUP)
        wait_until(lambda: "reload" in journal()[said:], "the log has a verdict")
        assert "configuration reloaded" in journal()[said:], journal()[said:]
    else:
        sys.exit(f"docker-compose: {args}")


def container_config():
    """The folder of the bridge's container: its configuration with the addresses and paths that are here."""
    mounted = pathlib.Path("config/docker/hook2mqtt").resolve()
    text = (mounted / "bridge.json").read_text().replace("//mosquitto:", "//localhost:")
    text = re.sub(r"[\w./-]*/etc/hook2mqtt", str(mounted), text)
    folder = FOLDER / "container"
    folder.mkdir(exist_ok=True)
    (folder / "bridge.json").write_text(text)
    if (mounted / "environment").exists():
        shutil.copy(mounted / "environment", folder / "environment")
    return folder / "bridge.json"


def start_broker(env):
    """With the script and the files of the container, which are elsewhere here."""
    folder, mounted = FOLDER / "mosquitto", pathlib.Path("config/docker/mosquitto").resolve()
    (folder / "data").mkdir(parents=True, exist_ok=True)

    def moved(text):
        return text.replace("/mosquitto/config/", f"{mounted}/").replace("/mosquitto/data", f"{folder}/data")

    # The container's image starts it as a user who may read all of this.
    (folder / "mosquitto.conf").write_text(moved((mounted / "mosquitto.conf").read_text()) + "\nuser root\n")
    script = moved((mounted / "start.sh").read_text()).replace(f"{mounted}/mosquitto.conf", f"{folder}/mosquitto.conf")
    script = re.sub(r"^chown .*\n", "", script, flags=re.MULTILINE)
    process = spawn(["/bin/sh", "-c", script], "mosquitto/log", env)
    (FOLDER / "mosquitto.pid").write_text(str(process.pid))
    wait_until(broker_answers, "the broker listens")
    wait_until(lambda: "running" in (folder / "log").read_text(), "its log says so at once")


TOOLS = {
    "apt-get": apt_get, "docker-compose": docker_compose, "hook2mqtt": hook2mqtt, "install": install, "journalctl": journalctl, "make": make,
    "mosquitto_sub": mosquitto_sub, "sqlite3": sqlite3, "sudo": sudo, "systemctl": systemctl,
}
TOOLS[os.path.basename(sys.argv[0])](sys.argv[1:])
