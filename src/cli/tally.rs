//! The line that `serve` prints at SIGUSR1: what it has done so far, and what its connections cost.
#![forbid(unsafe_code)]

use longshore::LedgerFigures;

use super::doctor::connections::resident_bytes;
use super::say::{self, To};

/// Prints the line on standard error: standard output is for the addresses, and whoever reads that may have gone. Without
/// room for it, it is lost.
pub(super) fn print(figures: &LedgerFigures) {
    let line = line(figures, resident_bytes());
    // On the thread that hears the signals.
    say::line_if_room(To::Error, &format!("longshore: {line}"));
}

fn line(figures: &LedgerFigures, resident: u64) -> String {
    let each = resident / figures.connections.max(1);
    format!(
        "connections={} accepted={} requests={} messages={} accept_failures={} resident_bytes={resident} \
         resident_bytes_each={each} held_bytes={} turns={} longest_turn={:.2?}",
        figures.connections,
        figures.accepted,
        figures.requests,
        figures.messages,
        figures.accept_failures,
        figures.held_bytes,
        figures.turns,
        figures.longest_turn,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_its_name() {
        let line = line(&LedgerFigures::default(), 4096);
        let names = "connections accepted requests messages accept_failures resident_bytes resident_bytes_each \
                     held_bytes turns longest_turn";
        let found: Vec<&str> = line
            .split(' ')
            .filter_map(|pair| pair.split('=').next())
            .collect();
        assert_eq!(found, names.split_whitespace().collect::<Vec<_>>());
        assert!(line.contains("resident_bytes_each=4096 "), "{line}");
    }
}
