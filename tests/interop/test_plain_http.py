"""What a person with `curl` and a browser meet: exact statuses, both spellings, health, the API's
own description, and CORS."""

from __future__ import annotations

import httpx
import pytest
from harness import DEV_PUBLIC_KEY, DEV_SECRET_KEY

REFUSALS = 500

ROOM_KEYS = {
    "type", "id", "createdAt", "organizationId",
    "defaultAccesses", "usersAccesses", "groupsAccesses", "metadata",
}  # fmt: skip


def test_statuses_and_shapes(http, prefix):
    room_id = f"{prefix}r"
    created = http.post("/v2/rooms", json={"id": room_id, "defaultAccesses": []})
    assert created.status_code == 200
    assert created.headers["content-type"].startswith("application/json")
    assert set(created.json()) == ROOM_KEYS, "lastConnectionAt is absent, not null"
    page = http.get("/v2/rooms", params={"query": f'roomId:"{room_id}"'})
    assert page.json() == {"nextCursor": None, "data": [created.json()]}
    assert http.get(f"/v2/rooms/{room_id}/active-users").json() == {"data": []}
    assert http.get(f"/v2/rooms/{room_id}/active_users").json() == {"data": []}
    for path in ("broadcast-event", "broadcast_event"):
        sent = http.post(f"/v2/rooms/{room_id}/{path}", json=None, content=b"null")
        assert (sent.status_code, sent.content) == (204, b"")
    warm = http.get(f"/v2/rooms/{room_id}/prewarm")
    assert (warm.status_code, warm.content) == (204, b"")
    gone = http.delete(f"/v2/rooms/{room_id}")
    assert (gone.status_code, gone.content) == (204, b"")
    missing = http.get(f"/v2/rooms/{room_id}")
    assert missing.status_code == 404
    assert missing.json()["error"] == "ROOM_NOT_FOUND"
    assert set(missing.json()) <= {"error", "message", "suggestion", "docs"}


@pytest.mark.parametrize("idempotent", ["?idempotent", "?idempotent=true", "?idempotent="])
def test_idempotent_may_be_bare(http, prefix, idempotent):
    room = {"id": f"{prefix}r", "defaultAccesses": []}
    first = http.post(f"/v2/rooms{idempotent}", json=room)
    assert first.status_code == 200
    assert http.post(f"/v2/rooms{idempotent}", json=room).json() == first.json()
    taken = http.post("/v2/rooms?idempotent=false", json=room)
    assert (taken.status_code, taken.json()["error"]) == (409, "ROOM_ALREADY_EXISTS")


def test_legacy_filters(http, prefix, organization):
    for name, metadata in (
        ("a", {"color": "red", "type": "text"}),
        ("b", {"color": "red"}),
        ("c", {}),
    ):
        room = {
            "id": prefix + name,
            "defaultAccesses": [],
            "metadata": metadata,
            "tenantId": organization,
        }
        assert http.post("/v2/rooms", json=room).json()["organizationId"] == organization

    def found(query):
        answer = http.get(f"/v2/rooms?tenantId={organization}&{query}")
        assert answer.status_code == 200, answer.text
        return [room["id"].removeprefix(prefix) for room in answer.json()["data"]]

    assert found("metadata.color=red") == ["b", "a"]
    assert found("metadata.color=red&metadata.type=text") == ["a"]
    assert found("metadata.color=blue") == []


@pytest.mark.parametrize(
    "body, status",
    [
        (b"{", 400),
        (b'{"id": "\xff"}', 400),
        (b"", 422),
        (b"[]", 422),
        (b'{"id": "a", "id": "b"}', 422),
    ],
)
def test_bodies_that_are_no_json_or_do_not_fit(http, body, status):
    answer = http.post("/v2/rooms", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["error"] and answer.json()["message"]


@pytest.mark.parametrize(
    "path, key, status",
    [
        ("/v2/rooms", "sk_unknown", 403),
        ("/v2/rooms", DEV_PUBLIC_KEY, 401),
        ("/v2/nothing", DEV_SECRET_KEY, 404),
    ],
)
def test_a_refusal_leaves_the_connection_usable(server, path, key, status):
    """An answer that comes before the body was read may not hang up on the next request, unless it
    says so: a client with a pool of connections would see calls fail at random."""
    with httpx.Client(base_url=server.url) as client:
        for _ in range(REFUSALS):
            room = {"id": "x" * 100, "defaultAccesses": []}
            answer = client.post(path, json=room, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == status


def test_unknown_routes_are_json_too(http):
    for path in ("/v2/nothing", "/v2/rooms/a/b/c/d", "/nothing"):
        answer = http.get(path)
        assert answer.status_code == 404
        assert answer.json()["error"] and answer.json()["message"]


def test_health_metrics_and_description(anonymous, http):
    assert anonymous.get("/healthz").status_code == 200
    assert anonymous.get("/readyz").status_code == 200
    http.get("/v2/rooms?limit=1")
    metrics = anonymous.get("/metrics")
    assert metrics.status_code == 200
    assert "# TYPE" in metrics.text and "ListRooms" in metrics.text
    described = anonymous.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {"get", "post"} <= set(described["paths"]["/v2/rooms"])


@pytest.mark.parametrize("path", ["/roomd.v1.RoomService/GetRoom"])
def test_browsers_may_call_connect_and_grpc_web(anonymous, path):
    headers = {
        "Origin": "https://app.example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-grpc-web",
    }
    preflight = anonymous.options(path, headers=headers)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] in ("*", "https://app.example.org")
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert allowed == "*" or all(
        name in allowed for name in ("authorization", "content-type", "x-grpc-web")
    )
    call = {"Origin": "https://app.example.org", "Authorization": f"Bearer {DEV_SECRET_KEY}"}
    answer = anonymous.post(path, json={"roomId": "none"}, headers=call)
    assert answer.json()["code"] == "not_found"
    assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example.org")
