//! A file of frames that Wireshark and tshark read (pcapng, `draft-ietf-opsawg-pcapng`).
//!
//! ```text
//!   Section Header · Interface Description (Ethernet, nanoseconds) · Enhanced Packet … · Interface Statistics
//! ```
//!
//! It does not know what the frames hold.

use super::Frame;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};
use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The exponent of ten of a timestamp's unit: nanoseconds.
const NANOSECONDS: u8 = 9;

/// Writes frames to a file of the pcapng format, with times in nanoseconds.
///
/// Give it a buffered writer. Every block is written whole, so a program that ends without [`Pcapng::finish`] leaves a
/// file that can be read, as far as its buffer was flushed.
///
/// ```
/// use longshore::trace::packets::{Frame, Pcapng};
/// use std::time::SystemTime;
///
/// let mut file = Pcapng::new(Vec::new(), "lo", "port 8080")?;
/// let bytes = [0; 60];
/// file.write(&Frame { at: SystemTime::now(), bytes: &bytes, wire_bytes: 1500 })?;
/// let written = file.finish(1, 0)?;
/// assert_eq!(written[..4], 0x0a0d_0d0a_u32.to_ne_bytes());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Pcapng<W: Write> {
    writer: PcapNgWriter<W>,
    last: SystemTime,
}

impl<W: Write> Pcapng<W> {
    /// Begins the file: who wrote it, which interface the frames are from, and what was let through.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn new(writer: W, interface: &str, filter: &str) -> io::Result<Self> {
        let application = concat!("longshore ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            // Readers take either order. In this one the crate's 64-bit times lie as the format wants them, high half first.
            endianness: Endianness::Big,
            options: vec![
                SectionHeaderOption::OS(Cow::Borrowed("Linux")),
                SectionHeaderOption::UserApplication(Cow::Borrowed(application)),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut writer = PcapNgWriter::with_section_header(writer, section).map_err(io_error)?;
        // The first byte of a filter says its language: 0 is text.
        let mut text = vec![0];
        text.extend_from_slice(filter.as_bytes());
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(interface.to_owned())),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
                InterfaceDescriptionOption::IfFilter(Cow::Owned(text)),
            ],
        };
        writer.write_pcapng_block(description).map_err(io_error)?;
        Ok(Pcapng {
            writer,
            last: UNIX_EPOCH,
        })
    }

    /// Writes one frame.
    ///
    /// # Errors
    ///
    /// Those of the writer. The file ends within this block then: stop writing.
    pub fn write(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: since_1970(frame.at),
            original_len: u32::try_from(frame.wire_bytes).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame.bytes),
            options: Vec::new(),
        };
        self.last = self.last.max(frame.at);
        self.writer.write_pcapng_block(block).map_err(io_error)?;
        Ok(())
    }

    /// Hands everything that was written on.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().flush()
    }

    /// Ends the file with how many frames the kernel let through and how many of them were lost, flushes, and gives the
    /// writer back.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(mut self, packets: u64, drops: u64) -> io::Result<W> {
        let block = InterfaceStatisticsBlock {
            interface_id: 0,
            timestamp: since_1970(self.last).as_nanos() as u64,
            options: vec![
                InterfaceStatisticsOption::IsbFilterAccept(packets),
                InterfaceStatisticsOption::IsbOsDrop(drops),
            ],
        };
        self.writer.write_pcapng_block(block).map_err(io_error)?;
        let mut writer = self.writer.into_inner();
        writer.flush()?;
        Ok(writer)
    }
}

impl<W: Write> Debug for Pcapng<W> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pcapng").finish_non_exhaustive()
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
