//! The gzip encoder against the decoder of the same crates, which is an independent piece of code.

use std::io::Read as _;

use crate::http::GzipEncoder;

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut content)
        .expect("whole");
    content
}

#[test]
fn every_cut_gives_the_content_back() {
    let content: Vec<u8> = (0..5000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
    let mut gzip = GzipEncoder::new(6);
    for cut in [0, 1, 7, 4096, 19_999, 20_000] {
        let mut out = Vec::new();
        gzip.encode(&content[..cut], &mut out);
        gzip.encode(&content[cut..], &mut out);
        gzip.finish(&mut out);
        assert_eq!(decode(&out), content, "cut at {cut}");
    }
}

#[test]
fn a_flush_lets_the_peer_read_so_far() {
    let (mut gzip, mut out) = (GzipEncoder::new(1), Vec::new());
    gzip.encode(b"first line\n", &mut out);
    gzip.flush(&mut out);
    let mut decoder = flate2::read::GzDecoder::new(out.as_slice());
    let mut line = [0; 11];
    decoder.read_exact(&mut line).expect("it was flushed");
    assert_eq!(&line, b"first line\n");
}

#[test]
fn large_and_small_contents_of_every_level() {
    let zeros = vec![0; 3_000_000];
    for level in [0, 1, 6, 9, 100] {
        let mut gzip = GzipEncoder::new(level);
        for content in [&zeros[..], b"", b"x"] {
            let mut out = Vec::new();
            gzip.encode(content, &mut out);
            gzip.finish(&mut out);
            assert!(decode(&out) == content, "level {level}");
            assert!(out.len() < 40_000, "level {level}: {}", out.len());
        }
    }
}
