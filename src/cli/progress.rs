//! The progress of long commands: a bar on a terminal, nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::store::backup::Manifest;

/// A progress bar for bytes, on standard error.
pub(super) struct Bar {
    shown: ProgressBar,
    /// The names of the stages that follow. A stage begins each time that a backup is read from its beginning.
    stages: std::slice::Iter<'static, &'static str>,
    last: u64,
}

impl Bar {
    /// A bar that names its stages in turn.
    pub(super) fn new(stages: &'static [&'static str]) -> Self {
        // It draws on standard error, and only if that is a terminal.
        let bar = ProgressBar::no_length();
        let look =
            "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(look) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { shown: bar, stages: stages.iter(), last: 0 }
    }

    /// Shows how far a backup was read: its bytes, and its manifest once that is known.
    pub(super) fn backup(&mut self) -> impl FnMut(u64, Option<&Manifest>) {
        |done, manifest| {
            if let Some(manifest) = manifest {
                self.shown.set_length(manifest.size());
                self.shown.reset_eta();
                if let Some(stage) = self.stages.next() {
                    self.shown.set_message(*stage);
                }
            }
            self.shown.set_position(done);
        }
    }

    /// Adds bytes when the total is unknown.
    pub(super) fn more(&mut self, bytes: u64) {
        self.last += bytes;
        self.shown.set_length(self.last);
        self.shown.set_position(self.last);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.shown.finish_and_clear();
    }
}

/// A span of time as people read it.
pub(super) fn span(span: Duration) -> String {
    indicatif::HumanDuration(span).to_string()
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
