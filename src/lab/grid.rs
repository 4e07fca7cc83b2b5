//! Sets cells in columns within a width: headings and sentences fold between words, figures never.
//!
//! ```text
//!   way            connections  left in       ◀── a heading stands on the row below it
//!                               TIME_WAIT
//!   HTTP/1.1,                1          1     ◀── a cell hangs from its first line
//!   keep-alive
//! ```
//!
//! What cannot fold stays whole, so a table of many figures may still be too wide. It does not know what a cell means.

/// Between two columns.
const GAP: &str = "  ";

/// One column: its heading and its cells, from the top.
pub(super) struct Column<'a> {
    pub(super) heading: &'a str,
    pub(super) cells: Vec<String>,
    /// Of figures: they stand to the right, and are not folded.
    pub(super) figures: bool,
}

impl Column<'_> {
    /// As wide as it is if nothing is folded.
    fn natural(&self) -> usize {
        self.cells().max(chars(self.heading))
    }

    /// With the heading folded as far as it goes.
    fn heading_folded(&self) -> usize {
        self.cells().max(longest_word(self.heading))
    }

    /// With the cells folded too, if they are text.
    fn folded(&self) -> usize {
        if self.figures {
            return self.heading_folded();
        }
        let words = self.cells.iter().map(|cell| longest_word(cell));
        words.max().unwrap_or(0).max(longest_word(self.heading))
    }

    fn cells(&self) -> usize {
        self.cells.iter().map(|cell| chars(cell)).max().unwrap_or(0)
    }
}

/// The lines: the headings, then row by row. All columns have as many cells.
pub(super) fn lines(columns: &[Column<'_>], width: usize) -> Vec<String> {
    let widths = widths(columns, width);
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let mut lines = row(columns, &widths, &headings, true);
    for at in 0..columns.first().map_or(0, |column| column.cells.len()) {
        let cells: Vec<&str> = columns.iter().map(|column| &*column.cells[at]).collect();
        lines.extend(row(columns, &widths, &cells, false));
    }
    lines
}

/// Headings fold first; cells only if that was not enough. It is always the widest that gives way.
fn widths(columns: &[Column<'_>], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(Column::natural).collect();
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    for least in [Column::heading_folded, Column::folded] {
        let least: Vec<usize> = columns.iter().map(least).collect();
        while widths.iter().sum::<usize>() + gaps > width {
            let can = (0..widths.len()).filter(|&at| widths[at] > least[at]);
            match can.max_by_key(|&at| widths[at]) {
                Some(widest) => widths[widest] -= 1,
                None => break,
            }
        }
    }
    widths
}

/// The lines of one row. Those of a heading end together, those of cells begin together.
fn row(columns: &[Column<'_>], widths: &[usize], texts: &[&str], is_heading: bool) -> Vec<String> {
    let folded: Vec<Vec<String>> = { texts.iter().zip(widths) }
        .map(|(text, &width)| fold(text, width))
        .collect();
    let height = folded.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let cells = folded.iter().zip(columns).zip(widths);
        let padded = cells.map(|((lines, column), &width)| {
            let above = if is_heading { height - lines.len() } else { 0 };
            let line = at.checked_sub(above).and_then(|at| lines.get(at));
            let text = line.map_or("", String::as_str);
            if column.figures {
                format!("{text:>width$}")
            } else {
                format!("{text:<width$}")
            }
        });
        let cells: Vec<String> = padded.collect();
        cells.join(GAP).trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

/// Breaks a text between words; one line at least.
fn fold(text: &str, width: usize) -> Vec<String> {
    if chars(text) <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if chars(line) + 1 + chars(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(chars).max().unwrap_or(0)
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
