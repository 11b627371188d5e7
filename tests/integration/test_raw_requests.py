"""Requests byte by byte, right and wrong ones: one answer to each, and nothing behind a wrong one is taken for a request."""

import socket

import pytest

from lib.raw_requests import CASES, CLOSED, END, IDS, MAX_BODY, SERVED, get, marker, source


@pytest.fixture(scope="module")
def bridge(start_for_module):
    config = {"ingress": {"max_body": f"{MAX_BODY}B"}, "sources": [source()]}
    return start_for_module.bridge(None, config)


@pytest.fixture(scope="module", autouse=True)
def accepted(bridge):
    """Every event that was stored was answered; none was made up."""
    ids = []
    yield ids
    assert bridge.metrics().value("accepted_total") == len(ids) == len(set(ids))


def read(connection, status, method, accepted):
    answer = connection.answer(head_only=method == b"HEAD")
    assert (answer.version, answer.status) == ("HTTP/1.1", status), answer
    assert answer.header("Content-Type") == "application/json" and answer.header("Date"), answer
    if method != b"HEAD":
        assert ("error" in answer.json()) == (status >= 400), answer
    if status == 200 and method != b"HEAD" and "id" in answer.json():
        accepted.append(answer.json()["id"])
    return answer


def at_the_end(connection):
    assert connection.is_closed_by_peer(), "closed, and nothing more is said"


def is_served(connection, number, accepted, at_once):
    """The request behind gets its own answer, and so does one more."""
    if not at_once:
        connection.send(marker(number))
    assert read(connection, 200, b"POST", accepted).json()["status"] == "accepted"
    connection.send(get().encode())
    assert read(connection, 200, b"GET", accepted).json() == {"status": "ok"}


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "after the answer"])
@pytest.mark.parametrize("number", range(len(CASES)), ids=IDS)
def test_a_request_and_what_is_behind_it(bridge, accepted, number, at_once):
    case = CASES[number]
    if case.behind != SERVED and not at_once:
        at_once = case.behind == END  # what is wrong is refused without anything behind it
    with bridge.connect() as connection:
        connection.send(case.data + (marker(number) if at_once and case.behind != END else b""))
        if case.behind == END:
            connection.socket.shutdown(socket.SHUT_WR)
        for i, status in enumerate(case.statuses):
            method = case.data.split(b" ")[0]
            answer = read(connection, status, method, accepted)
            last = i + 1 == len(case.statuses)
            assert (answer.header("Connection") == "close") == (last and case.behind == CLOSED) or case.behind == END, answer
        if case.behind == SERVED:
            is_served(connection, number, accepted, at_once)
        else:
            at_the_end(connection)


def test_there_are_enough_of_them():
    assert len(CASES) >= 300 and len(set(IDS)) == len(IDS)
