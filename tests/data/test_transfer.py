import gzip
import time

import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError

from tests.support.faulty_server import in_turn, ranged, redirect, status, truncated, whole
from tests.support.servers import free_port
from tests.support.source_builders import BODY, HURRIED, KEY, NAME, make_dataset, md5
from tsslbp.data.raw_files import SourceError
from tsslbp.data.sources import fetch
from tsslbp.data.transfer import RetryPolicy
from tsslbp.settings import SourceFile


def test_a_redirect_is_followed(place, server):
    server.at("/there", whole(BODY))
    place.fetch(server.at("/f", redirect("/there")))
    assert place.target.read_bytes() == BODY


def test_a_busy_server_is_asked_again(place, server):
    place.fetch(server.at("/f", in_turn(status(503), status(500), whole(BODY))))
    assert place.target.read_bytes() == BODY
    assert len(server.requests) == 3


def test_a_missing_page_is_not_asked_for_again(place, server):
    with pytest.raises(SourceError):
        place.fetch(server.at("/f", status(404)))
    assert len(server.requests) == 1


def test_a_server_that_would_pack_the_file_is_told_not_to(place, server):
    def packs(handler):
        packed = "gzip" in handler.headers.get("Accept-Encoding", "")
        handler.reply(200, gzip.compress(BODY) if packed else BODY, **({"Content_Encoding": "gzip"} if packed else {}))

    place.fetch(server.at("/f", packs))
    assert place.target.read_bytes() == BODY


def test_a_packed_file_is_not_unpacked_on_the_way(place, server):
    packed = gzip.compress(BODY, mtime=0)
    source = SourceFile(name="f.gz", md5=md5(packed), urls=(server.at("/f.gz", whole(packed, Content_Encoding="gzip")),))
    dataset = make_dataset().model_copy(update={"files": (source,)})
    fetch(KEY, dataset, place.raw, place.incoming, policy=HURRIED)
    assert (place.raw / "f.gz").read_bytes() == packed


def test_a_download_that_breaks_off_goes_on_where_it_stopped(place, server):
    place.fetch(server.at("/f", ranged(BODY, at_most=3000)))
    assert place.target.read_bytes() == BODY
    assert [asked for _, asked in server.requests] == [None, "bytes=3000-", "bytes=6000-", "bytes=9000-"]


def test_a_part_of_an_earlier_run_is_used(place, server):
    place.put(place.partial, BODY[:4000])
    place.fetch(server.at("/f", ranged(BODY)))
    assert place.target.read_bytes() == BODY
    assert [asked for _, asked in server.requests] == ["bytes=4000-"]


def test_a_part_survives_a_failed_run(place, server):
    with pytest.raises(SourceError, match="truncated: 700"):
        place.fetch(server.at("/f", truncated(BODY, 700)))
    assert place.partial.read_bytes() == BODY[:700]
    assert not place.target.exists()


@pytest.mark.parametrize("answer", [ranged(BODY), whole(BODY)])
@pytest.mark.parametrize("part", [b"x" * 4000, b"x" * len(BODY), BODY + b"x", BODY])
def test_a_wrong_or_complete_part_does_no_harm(place, server, answer, part):
    place.put(place.partial, part)
    place.fetch(server.at("/f", answer))
    assert place.target.read_bytes() == BODY
    assert not place.partial.exists()


def test_a_server_that_sends_another_part_than_asked_is_not_trusted(place, server):
    def shifted(handler):
        handler.reply(206, BODY[5000:], Content_Range=f"bytes 5000-{len(BODY) - 1}/{len(BODY)}")

    place.fetch(server.at("/f", in_turn(truncated(BODY, 4000), shifted, whole(BODY))))
    assert place.target.read_bytes() == BODY


def test_without_network_it_fails_fast_and_says_what_to_do(place):
    began = time.monotonic()
    with pytest.raises(SourceError) as error:
        place.fetch(f"http://127.0.0.1:{free_port()}/f", policy=RetryPolicy())
    assert time.monotonic() - began < 10
    assert "no network, or no such server" in str(error.value)
    assert f"set TSSLBP_MIRROR to a folder that holds {KEY}/{NAME} (it is not set now)" in str(error.value)


def test_where_packets_vanish_the_time_is_for_all_sources_together(place, monkeypatch):
    def vanish(connection):
        time.sleep(0.05)
        raise ConnectTimeoutError(connection, "timed out")

    monkeypatch.setattr(HTTPConnection, "connect", vanish)
    began = time.monotonic()
    with pytest.raises(SourceError) as error:
        place.fetch(*(f"http://127.0.0.1/{index}" for index in range(40)), policy=RetryPolicy(backoff=0.01, offline=0.25))
    assert time.monotonic() - began < 2
    assert str(error.value).count("not tried: no network") > 30
    own = RetryPolicy()
    assert 2 * own.connect + own.offline < 15


def test_a_dead_server_does_not_keep_from_the_next(place, server):
    place.fetch(f"http://127.0.0.1:{free_port()}/f", server.at("/f", whole(BODY)), policy=RetryPolicy(backoff=0.01, offline=10))
    assert place.target.read_bytes() == BODY


def test_a_busy_server_that_asks_for_an_hour_is_left_for_the_next(place, server):
    def busy(handler):
        handler.reply(429, Retry_After="3600")

    began = time.monotonic()
    place.fetch(server.at("/busy", busy), server.at("/f", whole(BODY)))
    assert time.monotonic() - began < 5
    assert place.target.read_bytes() == BODY


def test_a_server_that_throws_its_own_parts_away_is_given_up(place, server):
    def another_part(handler):
        if handler.headers.get("Range") is None:
            truncated(BODY, 4000)(handler)
        else:
            handler.reply(206, BODY[5000:], Content_Range=f"bytes 5000-{len(BODY) - 1}/{len(BODY)}")

    with pytest.raises(SourceError, match=r"truncated: 4000|another part"):
        place.fetch(server.at("/f", another_part), policy=RetryPolicy(backoff=0.01, attempts=4))
    assert len(server.requests) == 5


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_server_is_asked_as_often_as_the_policy_says(place, server, attempts):
    with pytest.raises(SourceError, match="HTTP 503"):
        place.fetch(server.at("/f", status(503)), policy=RetryPolicy(backoff=0.01, attempts=attempts))
    assert len(server.requests) == attempts


@pytest.mark.parametrize(("reached", "tries"), [(False, 2), (True, 3)])
def test_a_lost_connection_is_waited_for_longer_once_a_server_was_reached(place, server, monkeypatch, reached, tries):
    dead, ports, connect = free_port(), [], HTTPConnection.connect

    def counted(connection):
        ports.append(connection.port)
        return connect(connection)

    monkeypatch.setattr(HTTPConnection, "connect", counted)
    first = [server.at("/f", status(404))] if reached else []
    with pytest.raises(SourceError, match="no such server"):
        place.fetch(*first, f"http://127.0.0.1:{dead}/f")
    assert ports.count(dead) == tries
