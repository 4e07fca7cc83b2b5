//! The media type of a file by the end of its name.
//!
//! A table of our own, of what web servers serve, rather than a crate: the list of all types that were ever registered
//! has a thousand entries and brings a perfect hash, case folding and a parser with it, into every embedder's build. A
//! type that is missing here is sent as `application/octet-stream`, which says that nothing is known (RFC 9110 §8.3).
//!
//! It does not look into files: guessing from content is what `nosniff` forbids to browsers.

/// What is known of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentType {
    /// The value of Content-Type. Text is said to be UTF-8.
    pub(super) value: &'static str,
    /// The format is compressed already: nobody keeps a compressed form beside it, and none is looked for.
    pub(super) dense: bool,
}

const fn plain(value: &'static str) -> ContentType {
    ContentType {
        value,
        dense: false,
    }
}

const fn dense(value: &'static str) -> ContentType {
    ContentType { value, dense: true }
}

/// For every other name.
pub(super) const UNKNOWN: ContentType = plain("application/octet-stream");

/// The longest ending in the table.
pub(super) const ENDING_BYTES_MAX: usize = 11;

#[rustfmt::skip] // one type, one line: this is read as a table
/// By ending in lower case, in order, so that it can be searched by halves. A test keeps the order.
pub(super) const TABLE: [(&str, ContentType); 82] = [
    ("7z", dense("application/x-7z-compressed")),
    ("aac", dense("audio/aac")),
    ("apk", dense("application/vnd.android.package-archive")),
    ("apng", dense("image/apng")),
    ("atom", plain("application/atom+xml")),
    ("avi", dense("video/x-msvideo")),
    ("avif", dense("image/avif")),
    ("bmp", plain("image/bmp")),
    ("bz2", dense("application/x-bzip2")),
    ("conf", plain("text/plain; charset=utf-8")),
    ("css", plain("text/css; charset=utf-8")),
    ("csv", plain("text/csv; charset=utf-8")),
    ("docx", dense("application/vnd.openxmlformats-officedocument.wordprocessingml.document")),
    ("eot", plain("application/vnd.ms-fontobject")),
    ("epub", dense("application/epub+zip")),
    ("flac", dense("audio/flac")),
    ("geojson", plain("application/geo+json")),
    ("gif", dense("image/gif")),
    ("gz", dense("application/gzip")),
    ("heic", dense("image/heic")),
    ("htm", plain("text/html; charset=utf-8")),
    ("html", plain("text/html; charset=utf-8")),
    ("ico", plain("image/vnd.microsoft.icon")),
    ("ics", plain("text/calendar; charset=utf-8")),
    ("jar", dense("application/java-archive")),
    ("jpeg", dense("image/jpeg")),
    ("jpg", dense("image/jpeg")),
    ("js", plain("text/javascript; charset=utf-8")),
    ("json", plain("application/json")),
    ("jsonld", plain("application/ld+json")),
    ("jxl", dense("image/jxl")),
    ("log", plain("text/plain; charset=utf-8")),
    ("m3u8", plain("application/vnd.apple.mpegurl")),
    ("m4a", dense("audio/mp4")),
    ("m4v", dense("video/mp4")),
    ("map", plain("application/json")),
    ("md", plain("text/markdown; charset=utf-8")),
    ("mid", plain("audio/midi")),
    ("mjs", plain("text/javascript; charset=utf-8")),
    ("mkv", dense("video/matroska")),
    ("mov", dense("video/quicktime")),
    ("mp3", dense("audio/mpeg")),
    ("mp4", dense("video/mp4")),
    ("mpd", plain("application/dash+xml")),
    ("mpeg", dense("video/mpeg")),
    ("oga", dense("audio/ogg")),
    ("ogg", dense("audio/ogg")),
    ("ogv", dense("video/ogg")),
    ("opus", dense("audio/ogg")),
    ("otf", plain("font/otf")),
    ("pdf", dense("application/pdf")),
    ("png", dense("image/png")),
    ("pptx", dense("application/vnd.openxmlformats-officedocument.presentationml.presentation")),
    ("rs", plain("text/plain; charset=utf-8")),
    ("rss", plain("application/rss+xml")),
    ("rtf", plain("application/rtf")),
    ("sh", plain("text/plain; charset=utf-8")),
    ("svg", plain("image/svg+xml")),
    ("tar", plain("application/x-tar")),
    ("tgz", dense("application/gzip")),
    ("tif", plain("image/tiff")),
    ("tiff", plain("image/tiff")),
    ("toml", plain("application/toml")),
    ("ts", dense("video/mp2t")),
    ("ttf", plain("font/ttf")),
    ("txt", plain("text/plain; charset=utf-8")),
    ("vtt", plain("text/vtt; charset=utf-8")),
    ("wasm", plain("application/wasm")),
    ("wav", plain("audio/vnd.wave")),
    ("weba", dense("audio/webm")),
    ("webm", dense("video/webm")),
    ("webmanifest", plain("application/manifest+json")),
    ("webp", dense("image/webp")),
    ("woff", dense("font/woff")),
    ("woff2", dense("font/woff2")),
    ("xhtml", plain("application/xhtml+xml")),
    ("xlsx", dense("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")),
    ("xml", plain("application/xml")),
    ("xz", dense("application/x-xz")),
    ("yaml", plain("application/yaml")),
    ("yml", plain("application/yaml")),
    ("zip", dense("application/zip")),
];

/// The type of a file, by what stands behind the last dot of its name, in any case.
pub(super) fn of_name(name: &[u8]) -> ContentType {
    let Some(dot) = memchr::memrchr(b'.', name) else {
        return UNKNOWN;
    };
    let ending = &name[dot + 1..];
    let mut lower = [0; ENDING_BYTES_MAX];
    let Some(lower) = lower.get_mut(..ending.len()) else {
        return UNKNOWN;
    };
    lower.copy_from_slice(ending);
    lower.make_ascii_lowercase();
    let lower: &[u8] = lower;
    let found = TABLE.binary_search_by(|(candidate, _)| candidate.as_bytes().cmp(lower));
    found.map_or(UNKNOWN, |at| TABLE[at].1)
}
