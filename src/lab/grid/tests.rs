//! What folds, in which order, and what never does.

use super::{Column, lines};

fn column<'a>(heading: &'a str, cells: &[&str], figures: bool) -> Column<'a> {
    let cells = cells.iter().map(|&cell| cell.to_owned()).collect();
    Column {
        heading,
        cells,
        figures,
    }
}

fn table() -> Vec<Column<'static>> {
    vec![
        column("way", &["one by one", "a pipeline of many"], false),
        column("calls of the server", &["1,000,000", "3"], true),
    ]
}

#[test]
fn what_fits_is_one_line_for_each_row() {
    assert_eq!(
        lines(&table(), 39),
        [
            "way                 calls of the server",
            "one by one                    1,000,000",
            "a pipeline of many                    3",
        ]
    );
}

#[test]
fn headings_fold_first_and_stand_on_their_columns() {
    assert_eq!(
        lines(&table(), 32),
        [
            "                    calls of the",
            "way                       server",
            "one by one             1,000,000",
            "a pipeline of many             3",
        ]
    );
}

#[test]
fn then_text_folds_but_no_figure_does() {
    assert_eq!(
        lines(&table(), 20),
        [
            "            calls of",
            "                 the",
            "way           server",
            "one by     1,000,000",
            "one",
            "a                  3",
            "pipeline",
            "of many",
        ]
    );
}

#[test]
fn what_cannot_fold_is_whole_even_where_it_does_not_fit() {
    let text = lines(&table(), 1).join("\n");
    for word in ["1,000,000", "pipeline", "server"] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
    assert!(lines(&[], 10).concat().is_empty());
}
