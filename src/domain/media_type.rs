//! What a file holds, by the ending of its name.

/// For endings that are not known.
pub const ANYTHING: &str = "application/octet-stream";

#[rustfmt::skip]
const BY_ENDING: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"), ("aac", "audio/aac"), ("avif", "image/avif"),
    ("avi", "video/x-msvideo"), ("bmp", "image/bmp"), ("bz2", "application/x-bzip2"),
    ("css", "text/css"), ("csv", "text/csv"), ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("epub", "application/epub+zip"), ("flac", "audio/flac"), ("gif", "image/gif"),
    ("gz", "application/gzip"), ("heic", "image/heic"), ("htm", "text/html"),
    ("html", "text/html"), ("ico", "image/vnd.microsoft.icon"), ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"), ("jpg", "image/jpeg"), ("js", "text/javascript"),
    ("json", "application/json"), ("m4a", "audio/mp4"), ("md", "text/markdown"),
    ("mid", "audio/midi"), ("mjs", "text/javascript"), ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"), ("mp4", "video/mp4"), ("mpeg", "video/mpeg"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"), ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"), ("ogv", "video/ogg"), ("opus", "audio/ogg"), ("otf", "font/otf"),
    ("pdf", "application/pdf"), ("png", "image/png"), ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("rar", "application/vnd.rar"), ("rtf", "application/rtf"), ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"), ("tif", "image/tiff"), ("tiff", "image/tiff"),
    ("ttf", "font/ttf"), ("txt", "text/plain"), ("wasm", "application/wasm"),
    ("wav", "audio/wav"), ("weba", "audio/webm"), ("webm", "video/webm"), ("webp", "image/webp"),
    ("woff", "font/woff"), ("woff2", "font/woff2"), ("xhtml", "application/xhtml+xml"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"), ("yaml", "application/yaml"), ("yml", "application/yaml"),
    ("zip", "application/zip"),
];

pub fn of_name(name: &str) -> &'static str {
    let Some((_, ending)) = name.rsplit_once('.') else { return ANYTHING };
    let found = BY_ENDING.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
    found.map_or(ANYTHING, |(_, media_type)| media_type)
}

/// What a browser may be told: nothing in which it would run scripts as if they were ours.
pub fn harmless(media_type: &str) -> &str {
    match media_type {
        "text/html" | "application/xhtml+xml" | "application/xml" | "text/javascript" => {
            "text/plain"
        }
        other => other,
    }
}

/// Whether a browser that is led to a file shows it, or saves it. Only pictures, sound and pages to
/// print are worth a look in a window of their own; text in it could pass for a word of ours, and so
/// could an SVG image, which is a document.
pub fn is_shown(media_type: &str) -> bool {
    let kind = media_type.split_once('/').map_or("", |(kind, _)| kind);
    let is_document = media_type.ends_with("xml");
    media_type == "application/pdf" || (matches!(kind, "image" | "audio" | "video") && !is_document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ending_counts_in_any_case() {
        assert_eq!(of_name("a.b.PNG"), "image/png");
        assert_eq!(of_name("a.txt"), "text/plain");
        for name in ["", ".", "png", "a.", "a.unheardof"] {
            assert_eq!(of_name(name), ANYTHING, "{name}");
        }
        assert_eq!(harmless(of_name("a.html")), "text/plain");
        assert_eq!(harmless(of_name("a.png")), "image/png");
    }

    #[test]
    fn only_what_cannot_deceive_is_shown() {
        for name in ["a.png", "a.JPG", "a.webp", "a.mp3", "a.mp4", "a.pdf"] {
            assert!(is_shown(of_name(name)), "{name}");
        }
        for name in ["a.txt", "a.html", "a.svg", "a.json", "a.zip", "a.docx", "a", "image", ""] {
            assert!(!is_shown(of_name(name)), "{name}");
        }
        assert!(!is_shown("image"));
    }
}
