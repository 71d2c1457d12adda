//! Tracks.

use crate::domain::live::{Layer, Track, TrackCodec, TrackKind, TrackSource};
use crate::proto::livekit;

/// Codecs of a track, and layers of a codec.
const PARTS_MAX: usize = 8;
/// What clients call a track and themselves.
const TEXT_BYTES_MAX: usize = 256;

pub fn track(track: &Track) -> livekit::TrackInfo {
    livekit::TrackInfo {
        sid: track.sid.clone(),
        r#type: kind_number(track.kind),
        name: track.name.clone(),
        muted: track.muted,
        width: track.width,
        height: track.height,
        simulcast: track.layers.len() > 1,
        disable_dtx: track.disable_dtx,
        source: source_number(track.source),
        layers: track.layers.iter().map(layer).collect(),
        mime_type: track.mime_type.clone(),
        mid: String::new(),
        codecs: track.codecs.iter().map(codec).collect(),
        stereo: track.stereo,
        disable_red: track.disable_red,
        encryption: track.encryption,
        stream: track.stream.clone(),
        version: Some(livekit::TimedVersion {
            unix_micro: track.published_at_ms.saturating_mul(1_000),
            ticks: 0,
        }),
        audio_features: track.audio_features.clone(),
        backup_codec_policy: track.backup_codec_policy,
        packet_trailer_features: Vec::new(),
    }
}

fn codec(codec: &TrackCodec) -> livekit::SimulcastCodecInfo {
    livekit::SimulcastCodecInfo {
        mime_type: codec.mime_type.clone(),
        mid: String::new(),
        cid: codec.cid.clone(),
        layers: codec.layers.iter().map(layer).collect(),
        video_layer_mode: 0,
        sdp_cid: String::new(),
    }
}

fn layer(layer: &Layer) -> livekit::VideoLayer {
    livekit::VideoLayer {
        quality: layer.quality,
        width: layer.width,
        height: layer.height,
        bitrate: layer.bitrate,
        ..livekit::VideoLayer::default()
    }
}

/// A track that a client asks to publish. What is over a limit is cut: a client cannot be told why
/// its track is refused.
pub fn track_of(request: livekit::AddTrackRequest, sid: String, now_ms: i64) -> Track {
    let kind = kind_of(request.r#type);
    let codecs = request.simulcast_codecs.into_iter().take(PARTS_MAX);
    let codecs: Vec<TrackCodec> = codecs.map(|codec| codec_of(codec, kind)).collect();
    Track {
        sid,
        cid: cut(request.cid),
        kind,
        source: source_of(request.source),
        name: cut(request.name),
        muted: request.muted,
        width: request.width,
        height: request.height,
        stereo: request.stereo,
        disable_dtx: request.disable_dtx,
        disable_red: request.disable_red,
        encryption: request.encryption,
        stream: cut(request.stream),
        mime_type: codecs.first().map(|codec| codec.mime_type.clone()).unwrap_or_default(),
        layers: request.layers.iter().take(PARTS_MAX).map(layer_of).collect(),
        codecs,
        audio_features: request.audio_features.into_iter().take(PARTS_MAX).collect(),
        backup_codec_policy: request.backup_codec_policy,
        published_at_ms: now_ms,
    }
}

fn codec_of(codec: livekit::SimulcastCodec, kind: TrackKind) -> TrackCodec {
    let name = cut(codec.codec);
    let mime_type = match kind {
        _ if name.is_empty() || name.contains('/') => name,
        TrackKind::Audio => format!("audio/{name}"),
        TrackKind::Video | TrackKind::Data => format!("video/{name}"),
    };
    let layers = codec.layers.iter().take(PARTS_MAX).map(layer_of).collect();
    TrackCodec { mime_type, cid: cut(codec.cid), layers }
}

fn layer_of(layer: &livekit::VideoLayer) -> Layer {
    Layer {
        quality: layer.quality,
        width: layer.width,
        height: layer.height,
        bitrate: layer.bitrate,
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn kind_number(kind: TrackKind) -> i32 {
    let kind = match kind {
        TrackKind::Audio => livekit::TrackType::Audio,
        TrackKind::Video => livekit::TrackType::Video,
        TrackKind::Data => livekit::TrackType::Data,
    };
    kind.into()
}

fn kind_of(number: i32) -> TrackKind {
    match livekit::TrackType::try_from(number) {
        Ok(livekit::TrackType::Video) => TrackKind::Video,
        Ok(livekit::TrackType::Data) => TrackKind::Data,
        Ok(livekit::TrackType::Audio) | Err(_) => TrackKind::Audio,
    }
}

pub(super) fn source_number(source: TrackSource) -> i32 {
    let source = match source {
        TrackSource::Unknown => livekit::TrackSource::Unknown,
        TrackSource::Camera => livekit::TrackSource::Camera,
        TrackSource::Microphone => livekit::TrackSource::Microphone,
        TrackSource::ScreenShare => livekit::TrackSource::ScreenShare,
        TrackSource::ScreenShareAudio => livekit::TrackSource::ScreenShareAudio,
    };
    source.into()
}

pub(super) fn source_of(number: i32) -> TrackSource {
    match livekit::TrackSource::try_from(number) {
        Ok(livekit::TrackSource::Camera) => TrackSource::Camera,
        Ok(livekit::TrackSource::Microphone) => TrackSource::Microphone,
        Ok(livekit::TrackSource::ScreenShare) => TrackSource::ScreenShare,
        Ok(livekit::TrackSource::ScreenShareAudio) => TrackSource::ScreenShareAudio,
        Ok(livekit::TrackSource::Unknown) | Err(_) => TrackSource::Unknown,
    }
}
