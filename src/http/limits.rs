//! What one request may cost before it is refused.
#![forbid(unsafe_code)]

/// The bounds that a [`Decoder`](super::Decoder) enforces; each one stops a named attack.
///
/// ```
/// use longshore::http::HeadLimits;
/// let strict = HeadLimits { fields_max: 32, ..HeadLimits::default() };
/// assert_eq!(strict.head_bytes_max, 16 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of a head, from its method to its blank line. Default 16 KiB; beyond it 431. Stops endless heads.
    pub head_bytes_max: u32,
    /// Field lines of a head. Default 100; beyond it 431. Stops floods of tiny fields, which cost more than bytes.
    pub fields_max: u16,
    /// Bytes of a request target. Default 8 KiB; beyond it 414. Stops targets that would fill every log line.
    pub target_bytes_max: u32,
    /// Bytes of all chunk extensions of one body, leading zeros of sizes included. Default 4 KiB; beyond it 400
    /// (RFC 9112 §7.1.1). Stops bodies that are all framing.
    pub chunk_extension_bytes_max: u32,
    /// Bytes of a trailer section, line ends included. Default 4 KiB; beyond it 431. Stops endless trailers.
    pub trailer_bytes_max: u32,
    /// Bytes of one body, declared or counted. Default 1 GiB; beyond it 413.
    pub body_bytes_max: u64,
}

impl HeadLimits {
    /// No bound at all, for bytes that were accepted before.
    pub(super) const NONE: Self = Self {
        head_bytes_max: u32::MAX,
        fields_max: u16::MAX,
        target_bytes_max: u32::MAX,
        chunk_extension_bytes_max: u32::MAX,
        trailer_bytes_max: u32::MAX,
        body_bytes_max: u64::MAX,
    };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            fields_max: 100,
            target_bytes_max: 8 * 1024,
            chunk_extension_bytes_max: 4 * 1024,
            trailer_bytes_max: 4 * 1024,
            body_bytes_max: 1 << 30,
        }
    }
}
