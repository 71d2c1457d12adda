//! What a participant publishes.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackKind {
    #[default]
    Audio,
    Video,
    Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackSource {
    #[default]
    Unknown,
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
}

impl TrackSource {
    /// As tokens name it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "camera" => Some(Self::Camera),
            "microphone" => Some(Self::Microphone),
            "screen_share" => Some(Self::ScreenShare),
            "screen_share_audio" => Some(Self::ScreenShareAudio),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::ScreenShare => "screen_share",
            Self::ScreenShareAudio => "screen_share_audio",
        }
    }

    /// Each once, in the order of the first: what is kept of a list of any length is short.
    pub fn distinct(sources: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut distinct = Vec::new();
        for source in sources {
            if !distinct.contains(&source) {
                distinct.push(source);
            }
        }
        distinct
    }
}

/// One layer of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layer {
    /// 0 low, 1 medium, 2 high.
    pub quality: i32,
    pub width: u32,
    pub height: u32,
    pub bitrate: u32,
}

/// One codec in which a track is published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackCodec {
    pub mime_type: String,
    /// The client's own id of the track in this codec.
    pub cid: String,
    pub layers: Vec<Layer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Track {
    pub sid: String,
    /// The client's own id, by which it asked for it.
    pub cid: String,
    pub kind: TrackKind,
    pub source: TrackSource,
    pub name: String,
    pub muted: bool,
    pub width: u32,
    pub height: u32,
    pub stereo: bool,
    pub disable_dtx: bool,
    pub disable_red: bool,
    /// A number of `livekit.Encryption.Type`, which means something to clients only.
    pub encryption: i32,
    pub stream: String,
    pub mime_type: String,
    pub layers: Vec<Layer>,
    pub codecs: Vec<TrackCodec>,
    /// Numbers of `livekit.AudioTrackFeature`.
    pub audio_features: Vec<i32>,
    /// A number of `livekit.BackupCodecPolicy`.
    pub backup_codec_policy: i32,
    pub published_at_ms: i64,
}
