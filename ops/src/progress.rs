//! A progress bar on long work; on standard error, and only where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::Read;

/// A bar over bytes that are read.
pub(crate) fn bytes(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg:>10} {wide_bar} {bytes}/{total_bytes}  {eta}")
}

/// A bar over things that are counted.
pub(crate) fn items(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg:>10} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta}")
}

fn bar(what: &'static str, total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// Moves a bar on as a reader is read, and shows each piece to `watch`.
pub(crate) struct Watched<R, W> {
    reader: R,
    bar: ProgressBar,
    watch: W,
}

impl<R, W> Watched<R, W> {
    /// Reads through to `reader`.
    pub(crate) fn new(reader: R, bar: ProgressBar, watch: W) -> Self {
        Self { reader, bar, watch }
    }
}

impl<R: Read, W: FnMut(&[u8])> Read for Watched<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.reader.read(buffer)?;
        (self.watch)(&buffer[..size]);
        self.bar.inc(u64::try_from(size).unwrap_or_default());
        Ok(size)
    }
}
