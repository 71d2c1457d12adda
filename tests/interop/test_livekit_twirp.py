"""livekit.RoomService as raw HTTP: what no SDK shows of its answers, and what none would send."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode

import grpc
import httpx
import pytest
from google.protobuf import json_format
from harness import DEV_SECRET_KEY, eventually
from live import access
from livekit import api
from livekit.protocol import models, room

JSON, PROTOBUF = "application/json", "application/protobuf"
SERVICE = "/twirp/livekit.RoomService"
BODY_BYTES_MAX = 10 << 20

ROOM_KEYS = (
    "sid name empty_timeout departure_timeout max_participants creation_time creation_time_ms "
    "turn_password enabled_codecs metadata num_participants num_publishers active_recording version"
).split()
PERSON_KEYS = (
    "sid identity state tracks metadata joined_at joined_at_ms name version permission region "
    "is_publisher kind attributes disconnect_reason kind_details data_tracks client_protocol "
    "capabilities"
).split()
PERMISSION_KEYS = (
    "can_subscribe can_publish can_publish_data can_publish_sources hidden recorder "
    "can_update_metadata agent can_subscribe_metrics can_manage_agent_session"
).split()
TRACK_KEYS = (
    "sid type name muted width height simulcast disable_dtx source layers mime_type mid codecs "
    "stereo disable_red encryption stream version audio_features backup_codec_policy "
    "packet_trailer_features"
).split()


@pytest.fixture
def twirp(server):
    """Calls with the secret key; a body that is no bytes is sent as JSON."""
    with httpx.Client(base_url=server.url + SERVICE, timeout=20) as client:

        def call(method: str, body, content_type: str = JSON, **headers) -> httpx.Response:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            known = {"Content-Type": content_type, "Authorization": f"Bearer {DEV_SECRET_KEY}"}
            return client.post(f"/{method}", content=body, headers=known | headers)

        yield call


def ok(answer: httpx.Response) -> dict:
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON), answer.text
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    return answer.json()


def test_a_room_as_json(twirp, prefix):
    made = ok(twirp("CreateRoom", {"name": prefix, "metadata": "<ü>&"}))
    assert list(made) == ROOM_KEYS, "all of them, in this order, in snake_case"
    assert made["sid"].startswith("RM_") and made["name"] == prefix
    assert (made["metadata"], made["version"], made["active_recording"]) == ("<ü>&", None, False)
    assert made["creation_time"].isdecimal() and made["creation_time_ms"].isdecimal()
    assert made["enabled_codecs"][0] == {"mime": "audio/PCMU", "fmtp_line": ""}
    assert (made["empty_timeout"], made["num_participants"]) == (300, 0)
    assert "<ü>&" in twirp("ListRooms", {"names": [prefix]}).text, "it is escaped in errors only"
    assert ok(twirp("ListRooms", {"names": [prefix]})) == {"rooms": [made]}
    assert ok(twirp("ListRooms", {"names": ["none"]})) == {"rooms": []}
    assert ok(twirp("ListParticipants", {"room": prefix})) == {"participants": []}
    assert ok(twirp("SendData", {"room": prefix})) == {}
    assert ok(twirp("DeleteRoom", {"room": prefix})) == {}


def test_a_participant_as_json(twirp, enter, prefix):
    anna = enter(prefix, "anna", attributes={"z": "1", "a": "ü", "camelCase": ""})
    anna.send(signal={"add_track": {"cid": "c", "source": models.TrackSource.MICROPHONE}})
    sid = anna.signal("track_published").track.sid
    [seen] = ok(twirp("ListParticipants", {"room": prefix}))["participants"]
    assert seen == ok(twirp("GetParticipant", {"room": prefix, "identity": "anna"}))
    assert list(seen) == PERSON_KEYS
    assert list(seen["permission"]) == PERMISSION_KEYS
    assert list(seen["attributes"].items()) == [("a", "ü"), ("camelCase", ""), ("z", "1")]
    zeros = {
        key: seen[key] for key in ("metadata", "name", "region", "kind_details", "data_tracks")
    }
    assert zeros == {
        "metadata": "",
        "name": "",
        "region": "",
        "kind_details": [],
        "data_tracks": [],
    }
    names = (seen["state"], seen["kind"], seen["disconnect_reason"])
    assert names == ("ACTIVE", "STANDARD", "UNKNOWN_REASON")
    assert seen["joined_at"].isdecimal() and isinstance(seen["version"], int)
    [track] = seen["tracks"]
    assert list(track) == TRACK_KEYS
    assert (track["sid"], track["type"], track["source"]) == (sid, "AUDIO", "MICROPHONE")
    assert (track["encryption"], track["layers"], track["muted"]) == ("NONE", [], False)
    muting = {"room": prefix, "identity": "anna", "track_sid": "TR_none", "muted": True}
    assert ok(twirp("MutePublishedTrack", muting)) == {"track": None}


@pytest.mark.parametrize(
    "fields",
    [
        {"empty_timeout": 7, "max_participants": 2},
        {"emptyTimeout": 7, "maxParticipants": 2},
        {"emptyTimeout": "7", "maxParticipants": 2.0},
        {"empty_timeout": 70e-1, "maxParticipants": "2", "departureTimeout": None},
        {"empty_timeout": 7, "maxParticipants": 2, "EmptyTimeout": 9, "x": {"y": [None]}},
        {"emptyTimeout": 7, "max_participants": 2, "metadata": None, "tags": None, "agents": []},
        {"emptyTimeout": 7, "max_participants": 2, "tags": {"a": "b"}, "agents": [{"x": 1}]},
    ],
)
def test_spellings_that_are_read(twirp, prefix, fields):
    made = ok(twirp("CreateRoom", {"name": prefix, **fields}))
    assert (made["empty_timeout"], made["max_participants"]) == (7, 2)
    assert made["departure_timeout"] == 20


@pytest.mark.parametrize("tail", [b"", b" ", b" junk", b"{}", b"\n[1"])
def test_whatever_comes_after_the_first_value_is_passed_over(twirp, tail):
    body = b'{"names":["none"]}' + tail
    assert ok(twirp("ListRooms", body)) == {"rooms": []}
    assert ok(twirp("ListRooms", body, "Application/JSON; charset=utf-8")) == {"rooms": []}


def test_bytes_and_enums_as_json(twirp, enter, prefix):
    anna = enter(prefix, "anna")
    data = b"\xff\xfe\xfd?"
    text = b64encode(data).decode()
    for spelling in (text, text.rstrip("="), text.replace("/", "_").replace("+", "-")):
        assert ok(twirp("SendData", {"room": prefix, "data": spelling})) == {}
    for kind in ("LOSSY", 1, "RELIABLE", 0, "NOPE", 77, None):
        assert ok(twirp("SendData", {"room": prefix, "kind": kind})) == {}
    eventually("all has come", lambda: len(anna.payloads()) == 10)
    assert anna.payloads()[:3] == [data] * 3
    kinds = [packet.kind for packet in anna.all("data")[3:]]
    assert kinds == [1, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "method, body",
    [
        *[("CreateRoom", body) for body in (
            b"", b"null", b"[]", b'"x"', b"{", b'{"name":"a","name":"b"}', b'{"name":5}',
            b'{"emptyTimeout":1,"empty_timeout":1}', b'{"emptyTimeout":7.5}', b'{"emptyTimeout":-1}',
            b'{"emptyTimeout":4294967296}', b'{"syncStreams":"true"}', b'{"name":"\xff"}',
            b'{"name":"\\ud800"}', b'{"tags":{"a":"b","a":"c"}}', b'{"agents":[null]}',
        )],
        ("ListRooms", b'{"names":[null]}'),
        ("SendData", b'{"data":"?"}'),
        ("CreateRoom", b'{"x":' + b"[" * 100_000),
    ],
)  # fmt: skip
def test_malformed_json(twirp, method, body):
    answer = twirp(method, body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, JSON)
    assert answer.text == '{"code":"malformed","msg":"the json request could not be decoded"}'


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"])
def test_malformed_protobuf(twirp, body):
    answer = twirp("CreateRoom", body, PROTOBUF)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, JSON)
    assert answer.text == '{"code":"malformed","msg":"the protobuf request could not be decoded"}'


def test_protobuf_in_and_out(twirp, prefix):
    made = twirp("CreateRoom", api.CreateRoomRequest(name=prefix).SerializeToString(), PROTOBUF)
    assert (made.status_code, made.headers["Content-Type"]) == (200, PROTOBUF)
    listed = twirp("ListRooms", b"", PROTOBUF)
    assert (
        models.Room.FromString(made.content)
        in api.ListRoomsResponse.FromString(listed.content).rooms
    ), "an empty body is the request that says nothing"
    request = api.DeleteRoomRequest(room=prefix).SerializeToString()
    for expected in (
        (200, PROTOBUF, "0", b""),
        (404, JSON, "79", b'{"code":"not_found","msg":"'
         b'twirp error unknown: requested room does not exist"}'),
    ):  # fmt: skip
        answer = twirp("DeleteRoom", request, PROTOBUF)
        head = (answer.headers["Content-Type"], answer.headers["Content-Length"])
        assert (answer.status_code, *head, answer.content) == expected


def test_errors_to_the_byte(twirp, prefix):
    argument = "destination room cannot be the same as source room"
    same = {"room": prefix, "identity": "<ü>", "destination_room": prefix}
    for method, body, status, text in (
        ("GetParticipant", {"room": prefix, "identity": "<ü>"}, 404,
         '{"code":"not_found","msg":"twirp error unknown: participant does not exist"}'),
        ("MoveParticipant", same, 400,
         '{"code":"invalid_argument","msg":"%s ","meta":{"argument":"%s"}}' % (argument, argument)),
        ("Nope<", {}, 404,
         '{"code":"bad_route","msg":"no handler for path \\"%s/Nope\\u003c\\"","meta":'
         '{"twirp_invalid_route":"POST %s/Nope\\u003c"}}' % (SERVICE, SERVICE)),
    ):  # fmt: skip
        answer = twirp(method, body)
        assert (answer.status_code, answer.text) == (status, text)
        assert answer.headers["Content-Type"] == JSON
        assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize(
    "verb, path, content_type, msg",
    [
        ("GET", f"{SERVICE}/ListRooms", JSON, 'unsupported method "GET" (only POST is allowed)'),
        ("PUT", f"{SERVICE}/ListRooms", JSON, 'unsupported method "PUT" (only POST is allowed)'),
        ("POST", f"{SERVICE}/ListRooms", "text/plain", 'unexpected Content-Type: "text/plain"'),
        ("POST", f"{SERVICE}/ListRooms", "", 'unexpected Content-Type: ""'),
        ("POST", f"{SERVICE}/listRooms", JSON, f'no handler for path "{SERVICE}/listRooms"'),
        ("POST", f"{SERVICE}/ListRooms/", JSON, f'no handler for path "{SERVICE}/ListRooms/"'),
    ],
)
def test_bad_routes(server, verb, path, content_type, msg):
    answer = httpx.request(
        verb,
        server.url + path,
        content=b"{}",
        headers={"Content-Type": content_type, "Authorization": f"Bearer {DEV_SECRET_KEY}"},
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, JSON)
    meta = {"twirp_invalid_route": f"{verb} {path}"}
    assert answer.json() == {"code": "bad_route", "msg": msg, "meta": meta}


def test_what_is_no_service_of_livekits(server):
    head = {"Content-Type": JSON, "Authorization": f"Bearer {DEV_SECRET_KEY}"}
    for path in ("/twirp/livekit.Egress/ListEgress", "/twirp/livekit.Nothing/X"):
        answer = httpx.post(server.url + path, content=b"{}", headers=head)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    answer = httpx.get(server.url)
    assert (answer.status_code, answer.text) == (200, "OK"), "this is how its health is asked for"


def test_other_origins_may_call_and_read_refusals(server):
    origin = {"Origin": "http://testhost.com"}
    url = f"{server.url}{SERVICE}/ListRooms"
    answer = httpx.post(url, headers={**origin, "Authorization": "bearer xyz"})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "http://testhost.com"
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-livekit-request-id",
    }
    answer = httpx.options(url, headers={**origin, **asked})
    assert answer.is_success
    assert answer.headers["Access-Control-Allow-Origin"] == "http://testhost.com"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in allowed and "x-livekit-request-id" in allowed
    assert answer.headers["Access-Control-Max-Age"] == "86400"


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection(server.address, timeout=20)
    yield connection
    connection.close()


def exchange(connection, path: str, body, secret: str = DEV_SECRET_KEY, **more) -> tuple[int, str]:
    headers = {"Content-Type": JSON, "Authorization": f"Bearer {secret}"}
    connection.request("POST", path, body, headers, **more)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_slashes_that_urls_of_sdks_leave_at_the_front(connection):
    body = b'{"names":["none"]}'
    for path in (f"/{SERVICE}/ListRooms", f"//{SERVICE}/ListRooms"):
        assert exchange(connection, path, body) == (200, '{"rooms":[]}')


def test_one_connection_takes_calls_and_refusals_one_after_another(connection):
    good, socket = (200, '{"rooms":[]}'), None
    for path, body, secret, status in (
        (f"{SERVICE}/ListRooms", b'{"names":["none"]}', DEV_SECRET_KEY, 200),
        (f"{SERVICE}/ListRooms", b"{}", "x.y.z", 401),
        (f"{SERVICE}/Nope", b"{}", DEV_SECRET_KEY, 404),
        (f"{SERVICE}/ListRooms", b"{", DEV_SECRET_KEY, 400),
        (f"{SERVICE}/DeleteRoom", b'{"room":"none"}', DEV_SECRET_KEY, 404),
        ("/twirp/livekit.Nothing/X", b"{}", DEV_SECRET_KEY, 404),
    ):
        assert exchange(connection, path, body, secret)[0] == status
        socket = socket or connection.sock
        assert connection.sock is socket, f"it was closed after {status}"
        assert exchange(connection, f"{SERVICE}/ListRooms", b'{"names":["none"]}') == good


def test_a_body_over_the_limit(server, connection):
    connection.putrequest("POST", f"{SERVICE}/ListRooms")
    connection.putheader("Content-Length", str(BODY_BYTES_MAX + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (413, b"request body too large"), "unread, unasked"
    connection.close()
    piece = b'{"names":["' + b"x" * (1 << 20)
    pieces = (piece for _ in range(12))
    malformed = '{"code":"malformed","msg":"the json request could not be decoded"}'
    try:
        answer = exchange(connection, f"{SERVICE}/ListRooms", pieces, encode_chunked=True)
    except (BrokenPipeError, ConnectionResetError):
        # The server may answer and hang up while it is still written to.
        connection.close()
    else:
        assert answer == (400, malformed)
    assert exchange(connection, f"{SERVICE}/ListRooms", b'{"names":["none"]}')[0] == 200


def test_the_caller_may_say_how_long_it_waits(twirp, enter, prefix):
    enter(prefix, "anna")
    call = {"room": prefix, "destination_identity": "anna", "method": "greet"}
    answer = twirp("PerformRpc", call, **{"X-Twirp-Timeout-Ms": "100"})
    assert (answer.status_code, answer.json()["code"]) == (408, "deadline_exceeded")
    head = {"X-Twirp-Timeout-Ms": "soon"}
    assert ok(twirp("ListRooms", {"names": ["none"]}, **head)) == {"rooms": []}


def method_of(channel, name: str, request, response):
    path = f"/livekit.RoomService/{name}"
    return channel.unary_unary(path, request.SerializeToString, response.FromString)


def test_the_same_over_grpc_and_connect(server, channel, prefix):
    token = access(room_create=True).to_jwt()
    head = [("authorization", f"Bearer {token}")]
    create = method_of(channel, "CreateRoom", room.CreateRoomRequest, models.Room)
    made = create(room.CreateRoomRequest(name=prefix, metadata="m"), metadata=head)
    assert (made.name, made.metadata, made.empty_timeout) == (prefix, "m", 300)
    url = f"{server.url}/livekit.RoomService"
    headers = {"Content-Type": JSON, "Authorization": f"Bearer {token}"}
    again = httpx.post(f"{url}/CreateRoom", json={"name": prefix}, headers=headers)
    assert json_format.Parse(again.text, models.Room()) == made
    people = method_of(
        channel, "ListParticipants", room.ListParticipantsRequest, room.ListParticipantsResponse
    )
    with pytest.raises(grpc.RpcError) as caught:
        people(room.ListParticipantsRequest(room=prefix), metadata=head)
    refusal = (caught.value.code(), caught.value.details())
    assert refusal == (grpc.StatusCode.UNAUTHENTICATED, "permissions denied")
    delete = method_of(channel, "DeleteRoom", room.DeleteRoomRequest, room.DeleteRoomResponse)
    delete(room.DeleteRoomRequest(room=prefix), metadata=head)
    with pytest.raises(grpc.RpcError) as caught:
        delete(room.DeleteRoomRequest(room=prefix), metadata=head)
    refusal = (caught.value.code(), caught.value.details())
    assert refusal == (grpc.StatusCode.NOT_FOUND, "requested room does not exist")
