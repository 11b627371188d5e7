"""What all verbs of `provider` have in common: which source, which URL, tries, failures in the API's words, TLS."""

import email.utils
import json
import os
import pathlib
import subprocess
import time

import pytest

from lib.api_server import CLOSE, HANG, Answer, ApiServer
from lib.bridge import PROGRAM, SOURCE
from lib.provider_commands import (
    CONFIGS, TOKEN, Commands, assert_request, config, echoes, header, ricloud_source, shown,
)
from lib.wait import DEADLINE_S, wait_until


# Which source


def test_a_token_that_is_not_there_is_named(api, ricloud):
    ricloud.bridge.env.pop("API_TOKEN")
    ricloud.fails("get", "7", saying="sources[0].api.token")
    assert api.asked() == []


def test_of_several_sources_one_must_be_named(start, api, tmp_path):
    one = ricloud_source(api, [{"file": str(tmp_path / "one")}])
    two = {**one, "name": "photos", "path": "/webhooks/two"}
    commands = Commands(start, "ricloud", one, SOURCE, two)
    commands.fails("get", "7", saying="Name one with --source: backups, photos")
    commands.fails("get", "7", "--source", "partners", saying="of the provider creads")
    commands.fails("get", "7", "--source", "nobody", saying="no such source")
    api.on("GET", f"{CONFIGS}/7", config())
    commands.run("get", "7", "--source", "photos")
    commands.provider = "weavy"
    commands.fails("list", saying='no source has "provider": "weavy"')


# Errors and tries


@pytest.mark.parametrize(
    "answer, saying",
    [
        (Answer(400, {"error": "validation", "message": "No good.", "params": {"url": ["not https"]}}),
         'answered 400: validation: No good., {"url":["not https"]}'),
        (Answer(403, {"error": {"code": 12, "message": "Forbidden"}}), "answered 403: 12: Forbidden"),
        (Answer(404, {"message": "gone", "params": {}}), "answered 404: gone\n"),
        (Answer(400, {"message": "no\x1b[2J way\u202e"}), r"answered 400: no\x1B[2J way\xE2\x80\xAE"),
        (Answer(400, b"<html>no way</html>"), "answered 400, but not with JSON\n"),
        (Answer(400, {"message": "x" * 5000}), "answered 400: " + 200 * "x" + "\n"),
        (Answer(400, {"odd": [1]}), "answered 400\n"),
        (Answer(401), "answered 401\n"),
        (Answer(200, b"not JSON"), "describes no webhook config"),
    ],
)
def test_what_the_api_says_of_a_failure_is_shown_safely_and_not_asked_again(api, ricloud, answer, saying):
    api.on("GET", f"{CONFIGS}/7", answer)
    ricloud.fails("get", "7", saying=saying)
    assert len(api.requests) == 1


@pytest.mark.parametrize("answer", echoes(TOKEN))
def test_a_token_that_the_api_sends_back_in_its_own_words_is_not_shown(api, ricloud, answer):
    api.on("GET", f"{CONFIGS}/7", Answer(400, answer))
    ricloud.fails("get", "7", saying="***")


def test_a_secret_of_two_characters_does_not_star_everything(api, ricloud):
    ricloud.bridge.env["API_TOKEN"] = "7"
    api.on("GET", f"{CONFIGS}/7", config("valid"))
    assert ricloud.rows("get", "7") == [shown(config("valid"))]


@pytest.mark.parametrize("length", [0, 190], ids=["whole", "at the edge of what is shown"])
def test_a_token_that_the_api_sends_back_is_not_shown(api, ricloud, length):
    padding = "x" * length
    api.on("GET", f"{CONFIGS}/7", Answer(400, {"message": f"{padding}{TOKEN} is wrong"}))
    ricloud.fails("get", "7", saying=f"{padding}***")
    assert TOKEN[:8] not in ricloud.err
    api.on("GET", f"{CONFIGS}/7", Answer(400, f"{padding}{TOKEN} is wrong".encode()))
    ricloud.fails("get", "7", saying="answered 400, but not with JSON\n")
    assert TOKEN[:8] not in ricloud.err
    escaped = json.dumps({"message": f"no {TOKEN}"}).replace("/", "\\/").encode()
    api.on("GET", f"{CONFIGS}/7", Answer(400, escaped))
    ricloud.fails("get", "7", saying="no ***")


def http_date(seconds_from_now):
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


@pytest.mark.parametrize("bad", [503, 500, 429, CLOSE], ids=str)
def test_bad_luck_is_tried_again(api, ricloud, bad):
    api.on("GET", f"{CONFIGS}/7", bad, bad, config())
    assert ricloud.rows("get", "7") == [shown(config())]
    assert len(api.requests) == 3
    lines = ricloud.err.splitlines()
    assert len(lines) == 2 and all(line.startswith("hook2mqtt: GET ") for line in lines)
    assert "(2 of 5)" in lines[0] and "(3 of 5)" in lines[1]


def test_trying_again_ends_after_five_times(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", Answer(503, {"error": "down", "message": "Later."}))
    ricloud.fails("get", "7", saying="answered 503: down: Later.")
    assert len(api.requests) == 5
    assert ricloud.err.count("trying again") == 4


@pytest.mark.parametrize("seconds, least", [(lambda: "2", 2), (lambda: http_date(3), 1)], ids=["seconds", "date"])
def test_retry_after_is_honoured(api, ricloud, seconds, least):
    api.on("GET", f"{CONFIGS}/7", lambda _: Answer(429, headers=[("Retry-After", seconds())]), config())
    begin = time.monotonic()
    ricloud.run("get", "7")
    assert time.monotonic() - begin >= least


def test_a_retry_after_beyond_the_time_that_is_left_is_not_waited_for(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", Answer(503, headers=[("Retry-After", "3600")]))
    begin = time.monotonic()
    ricloud.fails("get", "7", saying="asked again in 3600 s")
    assert len(api.requests) == 1 and time.monotonic() - begin < 20


def test_nobody_there_is_tried_again_and_named(ricloud, api):
    url = api.url.rsplit(":", 1)[0] + ":9"
    ricloud.bridge.config["sources"][0]["api"]["url"] = url
    ricloud.bridge.write_config()
    ricloud.fails("get", "7", "--timeout", "1s", saying=f"GET {url}{CONFIGS}/7: Failed to connect")


def test_an_api_that_does_not_answer_is_given_up(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", HANG)
    begin = time.monotonic()
    ricloud.fails("get", "7", "--timeout", "1s", saying="timed out")
    assert 0.9 < time.monotonic() - begin < 20


def test_a_redirect_is_not_followed(api, ricloud):
    elsewhere = ApiServer()
    api.on("GET", f"{CONFIGS}/7", Answer(302, headers=[("Location", f"{elsewhere.url}/x")]))
    ricloud.fails("get", "7", saying=f"a redirect that is not followed, to {elsewhere.url}/x")
    assert len(api.requests) == 1 and elsewhere.requests == []
    elsewhere.close()


def test_an_endless_answer_is_given_up(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", b" " * (5 << 20))
    ricloud.fails("get", "7", saying="larger than 4 MiB")
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1", "http://127.0.0.1.example", "http://127.0.0.1@192.0.2.1", "https://u:p@192.0.2.1",
            "https://192.0.2.1/?a=b", "http://[::2]"],
)
def test_a_token_is_not_sent_without_tls_to_another_machine(ricloud, url):
    ricloud.bridge.config["sources"][0]["api"]["url"] = url
    ricloud.bridge.write_config()
    ricloud.run("get", "7", "--dry-run", expect=1)


def test_the_proxy_of_the_environment_does_not_see_what_is_not_encrypted(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", config())
    ricloud.bridge.env.update({"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"})
    assert ricloud.rows("get", "7") == [shown(config())]


def test_the_token_is_not_among_the_arguments_of_any_process(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", HANG)
    running = subprocess.Popen(
        [PROGRAM, "-c", ricloud.bridge.config_file, "provider", "ricloud", "get", "7"],
        env=ricloud.bridge.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: api.asked(), "asked")
        assert header(api.requests[0], "Authorization") == f"Token {TOKEN}"
        seen = 0
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            seen += str(PROGRAM).encode() in line
            assert TOKEN.encode() not in line
        assert seen >= 1
    finally:
        running.kill()
        out, _ = running.communicate(timeout=DEADLINE_S)
    assert TOKEN.encode() not in out


# What was typed


@pytest.mark.parametrize(
    "url, saying",
    [("", "must begin with https:// or http://"), ("nonsense", "must begin with https:// or http://"),
     ("127.0.0.1:8080", "must begin with "), ("ftp://hooks.example/in", "must begin with "),
     ("https:///in", "needs a host"), ("https://hooks.example:0/in", "needs a port"),
     ("https://hooks.example/in?a=b", "must end behind the path"),
     ("https://hooks.example/in#a", "must end behind the path"),
     ("https://hooks.example/a b", "must end behind the path"),
     ("https://hooks.example/a\nb", "must not contain control characters"),
     ("https://ann:pw-3e1@hooks.example/in", "must not hold a user, a password")],
)
def test_a_url_that_the_configuration_would_not_take_is_wrong_usage(api, ricloud, url, saying):
    for args in (["create"], ["update", "7"]):
        ricloud.fails(*args, "--url", url, saying=f"hook2mqtt: --url {saying}", status=2)
        assert "pw-3e1" not in ricloud.err
    ricloud.provider = "weavy"
    ricloud.fails("subscribe", "NewDeal", "--url", url, saying=f"hook2mqtt: --url {saying}", status=2)
    assert api.asked() == []


@pytest.mark.parametrize(
    "args, saying",
    [
        (["provider"], "provider: a command is missing\n"),
        (["provider", "weevy"], "provider weevy: no such command, did you mean weavy?\n"),
        (["provider", "weavy"], "provider weavy: a command is missing\n"),
        (["provider", "weavy", "create"], "provider weavy create: no such command\n"),
        (["outbox"], "outbox: a command is missing\n"),
        (["outbox", "lss"], "outbox lss: no such command, did you mean ls?\n"),
    ],
)
def test_an_unknown_verb_is_named_with_the_whole_command(ricloud, args, saying):
    done = ricloud.bridge.cli(*args, expect=2)
    assert done.stderr.decode().startswith(f"hook2mqtt: {saying}usage: ")


# TLS


def test_an_authority_that_is_not_known_is_refused_and_one_that_is_named_is_accepted(start, authority, tmp_path):
    api = ApiServer(cert=authority.issue("api"))
    api.on("GET", f"{CONFIGS}/7", config())
    secrets = [{"file": str(tmp_path / "one")}]
    unknown = Commands(start, "ricloud", ricloud_source(api, secrets))
    unknown.fails("get", "7", saying="certificate")
    assert api.requests == [] and "trying again" not in unknown.err
    known = Commands(start, "ricloud", ricloud_source(api, secrets, ca_file=str(authority.cert)))
    assert known.rows("get", "7") == [shown(config())]
    assert_request(api.requests[0], "GET", f"{CONFIGS}/7")
    api.close()


def test_an_authority_that_cannot_be_read_is_named_and_a_pipe_keeps_nobody_waiting(start, api, tmp_path):
    file = tmp_path / "ca.pem"
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(tmp_path / "one")}], ca_file=str(file)))
    commands.fails("get", "7", saying=f"api.ca_file: open {file}: No such file")
    os.mkfifo(file)
    commands.fails("get", "7", saying=f"api.ca_file: {file} is not a regular file")
    commands.run("get", "7", "--dry-run")
    assert api.asked() == []


def test_a_certificate_of_another_name_is_refused(start, authority, tmp_path):
    api = ApiServer(cert=authority.issue("api", "DNS:other.example"))
    source = ricloud_source(api, [{"file": str(tmp_path / "one")}], ca_file=str(authority.cert))
    Commands(start, "ricloud", source).fails("get", "7", saying="127.0.0.1")
    assert api.requests == []
    api.close()
