//! How a check or a backup shares the machine with those who use the data meanwhile.

use std::time::{Duration, Instant};

use crate::store::engine::Error;

/// How long is worked before a rest. It is shorter than anybody notices.
const TURN: Duration = Duration::from_millis(10);

/// Lets everybody else who wants a processor go first, between two rows. A thread of low priority that the system stops within
/// a read may have locked a part of the page cache, and then everybody waits for the one thread that gets no turn.
pub(crate) fn let_others_go() {
    std::thread::yield_now();
}

/// Asked again and again while much is read.
pub(crate) trait Pace {
    /// May take a rest.
    ///
    /// # Errors
    /// [`Error::Closed`] when it is time to stop.
    fn step(&mut self) -> Result<(), Error>;
}

/// Nobody else uses the data.
pub(super) struct Fast;

impl Pace for Fast {
    fn step(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Rests as long as it works, until it shall stop.
pub(crate) struct Gentle<'a> {
    goes_on: &'a dyn Fn() -> bool,
    turn: Instant,
}

impl<'a> Gentle<'a> {
    pub(crate) fn new(goes_on: &'a dyn Fn() -> bool) -> Self {
        Self { goes_on, turn: Instant::now() }
    }
}

impl Pace for Gentle<'_> {
    fn step(&mut self) -> Result<(), Error> {
        let_others_go();
        let worked = self.turn.elapsed();
        if worked >= TURN {
            if !(self.goes_on)() {
                return Err(Error::Closed);
            }
            std::thread::sleep(worked);
            self.turn = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gentle_one_rests_after_its_turn_and_ends_when_it_shall() {
        let now = Instant::now();
        let Some(before) = now.checked_sub(TURN) else { return };
        let mut gentle = Gentle { goes_on: &|| true, turn: before };
        gentle.step().unwrap();
        assert!(now.elapsed() >= TURN);
        let mut ended = Gentle { goes_on: &|| false, turn: before };
        assert!(matches!(ended.step(), Err(Error::Closed)));
    }
}
