"""Whatever a server does, the reason is named, the next source is tried, and nothing but the right bytes gets the file's name."""

import gzip
import re

import pytest

from tests.support.faulty_server import (
    dripping,
    in_turn,
    literally,
    ranged,
    redirect,
    reset,
    slow,
    stalled,
    status,
    truncated,
    whole,
)
from tests.support.servers import free_port
from tests.support.source_builders import BODY, KEY, NAME, md5
from tsslbp.data.raw_files import SourceError
from tsslbp.data.transfer import RetryPolicy

IMPATIENT = RetryPolicy(connect=5, read=1.0, attempts=2, backoff=0.01, offline=20)
WRONG = bytes(len(BODY))


def wrong_rest(handler):
    """Half of the file, and when asked for the rest, other bytes in its place."""
    if handler.headers.get("Range") is None:
        truncated(BODY, 4000)(handler)
    else:
        handler.reply(206, WRONG[4000:], Content_Range=f"bytes 4000-{len(BODY) - 1}/{len(BODY)}")


def another_part(handler):
    """Half of the file, and when asked for the rest, a part further on."""
    if handler.headers.get("Range") is None:
        truncated(BODY, 4000)(handler)
    else:
        handler.reply(206, BODY[5000:], Content_Range=f"bytes 5000-{len(BODY) - 1}/{len(BODY)}")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = {
    "forbidden": (status(403), "HTTP 403 Forbidden"),
    "missing": (status(404), "HTTP 404 Not Found"),
    "busy": (status(429), "HTTP 429"),
    "broken": (status(500), "HTTP 500 Internal Server Error"),
    "page": (whole(b"<!DOCTYPE html><title>Log in</title>"), "looks like an HTML page"),
    "page-in-capitals": (whole(b"\n <HTML><body>404"), "looks like an HTML page"),
    "other-bytes": (whole(WRONG), f"checksum {md5(WRONG)}, expected {md5(BODY)}"),
    "nothing": (whole(b""), f"expected {md5(BODY)}"),
    "packed": (whole(gzip.compress(BODY, mtime=0), Content_Encoding="gzip"), f"expected {md5(BODY)}"),
    "cut-off": (truncated(BODY, 700), f"truncated: 700 of {len(BODY)} bytes"),
    "stalled": (stalled(BODY, 700, seconds=4), f"truncated: 700 of {len(BODY)} bytes"),
    "reset": (reset(BODY, 700), "truncated|broken off|no answer"),
    "silent": (slow(4), "no answer"),
    "no-word": (literally(b""), "no answer"),
    "no-http": (literally(b"220 mail.example.org ESMTP\r\n"), "no answer"),
    "no-length": (literally(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nletters"), "expected"),
    "broken-chunks": (literally(CHUNKED + b"5\r\nhello\r\nxyz\r\n"), "broken off after"),
    "cut-chunks": (literally(CHUNKED + b"ff\r\nhello"), "broken off after"),
    "redirect-to-nowhere": (redirect("/nowhere"), "HTTP 404"),
    "redirect-in-a-circle": (redirect("/redirect-in-a-circle"), "Exceeded 30 redirects"),
    "redirect-to-a-file": (redirect("file:///etc/hostname"), "no valid answer"),
    "redirect-to-no-address": (redirect("http://[1:2"), "no valid answer"),
    "redirect-in-no-text": (redirect("/\xe4\xff"), "HTTP 404|no valid answer"),
    "redirect-to-a-closed-port": (redirect(f"http://127.0.0.1:{free_port()}/"), "no such server"),
    "wrong-rest": (wrong_rest, f"expected {md5(BODY)}"),
    "another-part": (another_part, "truncated: 4000|another part than it was asked for"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_nothing_where_another_source_is_right(place, server, fault):
    first, second = server.at(f"/{fault}", FAULTS[fault][0]), server.at("/right", whole(BODY))
    place.fetch(first, second, policy=IMPATIENT)
    assert place.target.read_bytes() == BODY
    assert server.requests[0][0] == f"/{fault}"
    assert server.requests[-1][0] == "/right"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_only_source_is_named_and_leaves_no_file(place, server, fault):
    answer, reason = FAULTS[fault]
    url = server.at(f"/{fault}", answer)
    with pytest.raises(SourceError) as error:
        place.fetch(url, policy=IMPATIENT)
    (line,) = [line for line in str(error.value).splitlines() if url in line]
    assert re.search(reason, line), line
    assert not place.target.exists()


def test_where_all_fail_each_source_stands_in_the_error_in_its_order(place, server):
    urls = [f"http://127.0.0.1:{free_port()}/closed", *(server.at(f"/{fault}", answer) for fault, (answer, _) in FAULTS.items())]
    place.put(place.target, b"damaged on disk")
    with pytest.raises(SourceError) as error:
        place.fetch(*urls, mirror=True, policy=IMPATIENT)
    first, *reasons, last = str(error.value).splitlines()
    assert NAME in first
    assert [line.strip().split(": ")[0] for line in reasons] == [str(place.target), str(place.mirror / KEY / NAME), *urls]
    for line, expected in zip(reasons, ["set aside", "missing", "no such server", *(reason for _, reason in FAULTS.values())], strict=True):
        assert re.search(expected, line), line
    assert f"set TSSLBP_MIRROR to a folder that holds {KEY}/{NAME}" in last
    assert not place.target.exists()


def test_a_server_that_is_slow_but_steady_is_waited_for(place, server):
    place.fetch(server.at("/f", dripping(BODY, 1024, pause=0.05)), policy=IMPATIENT)
    assert place.target.read_bytes() == BODY


def test_a_rest_of_other_bytes_is_thrown_away_and_all_is_fetched_again(place, server):
    place.fetch(server.at("/f", in_turn(truncated(BODY, 4000), wrong_rest, whole(BODY))), policy=IMPATIENT)
    assert place.target.read_bytes() == BODY
    assert [asked for _, asked in server.requests] == [None, "bytes=4000-", None]


def test_a_server_that_knows_no_ranges_sends_all_again(place, server):
    place.fetch(server.at("/f", in_turn(truncated(BODY, 4000), whole(BODY))), policy=IMPATIENT)
    assert place.target.read_bytes() == BODY
    assert [asked for _, asked in server.requests] == [None, "bytes=4000-"]


def test_a_server_that_hangs_up_all_the_time_is_used_to_the_end(place, server):
    """Every attempt brings something, so none of them counts as a failure in a row."""
    place.fetch(server.at("/f", ranged(BODY, at_most=500)), policy=IMPATIENT)
    assert place.target.read_bytes() == BODY
    assert len(server.requests) == -(-len(BODY) // 500)
