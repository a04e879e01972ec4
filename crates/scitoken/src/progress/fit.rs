//! Fits the line of a terminal into its columns: the bar shrinks before the numbers, and the numbers before the name.

use console::{measure_text_width, truncate_str};

/// The widths of the bar, the widest first; none where all are too wide.
const BARS: [usize; 2] = [12, 6];
/// The brackets' place: a blank before the text, and a free column at the end.
const AROUND_BAR: usize = 1;

/// A line that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FittedLine {
    /// The columns of the bar; zero for none.
    pub(super) bar: usize,
    pub(super) text: String,
}

/// Returns the first of the lines that fits, the longest first, or the last one cut; and a bar if there is space for it.
pub(super) fn fit(lines: &[String], columns: usize, has_bar: bool) -> FittedLine {
    let free = columns.saturating_sub(1);
    let fitting = lines.iter().find(|line| measure_text_width(line) <= free);
    let text = match (fitting, lines.last()) {
        (Some(line), _) => line.clone(),
        (None, Some(shortest)) => truncate_str(shortest, free, "…").into_owned(),
        (None, None) => String::new(),
    };
    let left = free.saturating_sub(measure_text_width(&text));
    let bar = BARS.into_iter().find(|bar| has_bar && bar + AROUND_BAR <= left).unwrap_or(0);
    FittedLine { bar, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "a-rather-long-file-name-of-run-1.root";

    fn lines() -> Vec<String> {
        ["1.00 MiB of 2.00 MiB  400.00 KiB/s  2 s left  ", "1.00 MiB of 2.00 MiB  400.00 KiB/s  ", "50%  "]
            .map(|numbers| format!("{numbers}{NAME}"))
            .to_vec()
    }

    #[test]
    fn the_bar_shrinks_before_the_numbers_and_the_numbers_before_the_name() {
        for (columns, bar, start) in [
            (200, 12, "1.00 MiB of 2.00 MiB  400.00 KiB/s  2 s left"),
            (92, 6, "1.00 MiB of 2.00 MiB  400.00 KiB/s  2 s left"),
            (84, 0, "1.00 MiB of 2.00 MiB  400.00 KiB/s  2 s left"),
            (82, 6, "1.00 MiB of 2.00 MiB  400.00 KiB/s  a"),
            (80, 0, "1.00 MiB of 2.00 MiB  400.00 KiB/s  a"),
            (60, 12, "50%  a"),
            (45, 0, "50%  a"),
        ] {
            let line = fit(&lines(), columns, true);
            assert_eq!(line.bar, bar, "{columns}: {line:?}");
            assert!(line.text.starts_with(start) && line.text.ends_with(NAME), "{columns}: {line:?}");
            assert!(line.bar + line.text.len() < columns, "{columns}: {line:?}");
        }
        let narrow = fit(&lines(), 20, true);
        assert_eq!((narrow.bar, narrow.text.as_str()), (0, "50%  a-rather-long…"));
        assert_eq!(fit(&lines(), 200, false).bar, 0, "no length, no bar");
        assert_eq!(fit(&[], 0, true).text, "");
    }
}
