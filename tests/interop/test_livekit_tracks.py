"""Tracks that people announce, and what livekit-api does to them."""

from __future__ import annotations

import pytest
from harness import eventually
from live import is_sid, refuses
from livekit import api
from livekit.protocol import models, rtc

MICROPHONE, CAMERA = models.TrackSource.MICROPHONE, models.TrackSource.CAMERA


def publish(member, cid: str, source: int = MICROPHONE, **more) -> models.TrackInfo:
    kind = models.TrackType.VIDEO if source == CAMERA else models.TrackType.AUDIO
    track = rtc.AddTrackRequest(cid=cid, type=kind, source=source, **more)
    member.send(signal=rtc.SignalRequest(add_track=track))
    return member.signal("track_published", lambda told: told.cid == cid).track


def mute(live, room: str, sid: str, muted: bool) -> models.TrackInfo:
    request = api.MuteRoomTrackRequest(room=room, identity="anna", track_sid=sid, muted=muted)
    return live.mute_published_track(request).track


@pytest.fixture
def anna(enter, prefix):
    return enter(prefix, "anna")


@pytest.fixture
def ben(enter, prefix, anna):
    return enter(prefix, "ben")


def test_tracks_are_published_and_seen(live, anna, ben, prefix):
    sound = publish(anna, "c1", name="mic", stereo=True)
    assert sound.sid.startswith("TR_AM") and is_sid(sound.sid, "TR")
    assert (sound.type, sound.source, sound.name) == (models.TrackType.AUDIO, MICROPHONE, "mic")
    codec = rtc.SimulcastCodec(codec="vp8", cid="c2")
    layer = models.VideoLayer(quality=models.VideoQuality.HIGH, width=640, height=480)
    size = {"width": 640, "height": 480}
    picture = publish(anna, "c2", CAMERA, **size, layers=[layer], simulcast_codecs=[codec])
    assert picture.sid.startswith("TR_VC") and (picture.width, picture.height) == (640, 480)
    assert picture.mime_type == "video/vp8"
    assert [(one.quality, one.width) for one in picture.layers] == [(layer.quality, 640)]
    assert publish(anna, "c1") == sound, "to ask again is answered again"
    seen = live.person(prefix, "anna")
    assert seen.is_publisher and list(seen.tracks) == [sound, picture]
    assert ben.told_of("anna", lambda info: len(info.tracks) == 2) == seen
    room = live.room(prefix)
    assert (room.num_participants, room.num_publishers) == (2, 1)


def test_muting(live, anna, ben, prefix):
    track = publish(anna, "c1")
    muted = mute(live, prefix, track.sid, True)
    assert (muted.sid, muted.muted) == (track.sid, True)
    assert anna.signal("mute") == rtc.MuteTrackRequest(sid=track.sid, muted=True)
    seen = ben.told_of("anna", lambda info: any(one.muted for one in info.tracks))
    assert live.person(prefix, "anna").tracks[0] == muted
    assert mute(live, prefix, track.sid, True) == muted
    unmuted = (412, "failed_precondition", "twirp error unknown: remote unmute not enabled")
    refuses(unmuted, mute, live, prefix, track.sid, False)
    request = api.MuteRoomTrackRequest(room=prefix, identity="anna", track_sid="TR_none")
    assert not live.mute_published_track(request).HasField("track")
    # One may unmute oneself.
    own = rtc.MuteTrackRequest(sid=track.sid, muted=False)
    anna.send(signal=rtc.SignalRequest(mute=own))
    later = ben.told_of("anna", lambda info: info.version > seen.version)
    assert not later.tracks[0].muted
    assert len(anna.signals("mute")) == 1


def test_who_may_not_publish_any_more_stops(live, anna, ben, prefix):
    sound, picture = publish(anna, "c1"), publish(anna, "c2", CAMERA)
    allowed = {"can_subscribe": True, "can_publish": True, "can_publish_sources": [MICROPHONE]}
    for permission, left in (
        (models.ParticipantPermission(**allowed), [sound.sid]),
        (models.ParticipantPermission(can_subscribe=True), []),
    ):
        request = api.UpdateParticipantRequest(room=prefix, identity="anna", permission=permission)
        changed = live.update_participant(request)
        assert [track.sid for track in changed.tracks] == left
        told = ben.told_of("anna", lambda info, count=len(left): len(info.tracks) == count)
        assert [track.sid for track in told.tracks] == left
    for track in (picture, sound):
        anna.signal("track_unpublished", lambda told, sid=track.sid: told.track_sid == sid)
    track = rtc.AddTrackRequest(cid="c3", source=MICROPHONE)
    anna.send(signal=rtc.SignalRequest(add_track=track))
    anna.send(signal=rtc.SignalRequest(update_metadata=rtc.UpdateParticipantMetadata(request_id=1)))
    assert anna.signal("request_response"), "what came before is through"
    assert not live.person(prefix, "anna").tracks


def test_sources_that_a_token_allows(live, enter, prefix):
    carl = enter(prefix, "carl", can_publish_sources=["camera"])
    assert list(carl.welcome.participant.permission.can_publish_sources) == [CAMERA]
    refused = rtc.AddTrackRequest(cid="c1", source=MICROPHONE)
    carl.send(signal=rtc.SignalRequest(add_track=refused))
    assert publish(carl, "c2", CAMERA).sid.startswith("TR_VC")
    assert len(live.person(prefix, "carl").tracks) == 1


def test_subscriptions(live, anna, ben, prefix):
    track = publish(anna, "c1")
    me = {"room": prefix, "identity": "ben"}
    for on in (True, False):
        sids = ["TR_none", track.sid]
        live.update_subscriptions(
            api.UpdateSubscriptionsRequest(**me, track_sids=sids, subscribe=on)
        )
        told = ben.signal("subscription_permission_update", lambda told, on=on: told.allowed == on)
        assert told.track_sid == track.sid
        assert told.participant_sid == anna.welcome.participant.sid
    assert anna.signal("track_subscribed").track_sid == track.sid
    of_anna = models.ParticipantTracks(
        participant_sid=anna.welcome.participant.sid, track_sids=[track.sid]
    )
    request = api.UpdateSubscriptionsRequest(**me, participant_tracks=[of_anna], subscribe=True)
    live.update_subscriptions(request)
    told = lambda: [told.allowed for told in ben.signals("subscription_permission_update")]  # noqa: E731
    eventually("ben is told again", lambda: told() == [True, False, True])


def test_tracks_end_with_those_who_publish_them(live, anna, ben, prefix):
    publish(anna, "c1")
    assert live.room(prefix).num_publishers == 1
    anna.close()
    assert ben.told_of("anna", lambda info: not info.tracks and info.state == info.DISCONNECTED)
    assert live.room(prefix).num_publishers == 0
