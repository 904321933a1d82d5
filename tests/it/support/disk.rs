//! A disk in memory whose power can be cut at any write.
//!
//! It is what a file on a good disk is. A write is in a cache until the next sync. When the power goes, every sector of
//! what is not synced is on the disk or is not, each for itself and in any of its versions since. Lengths are kept as
//! journalling file systems keep them: a change of length survives only together with those before it, and what was
//! cut off comes back as zeros. What a sync has confirmed stays.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// What a disk writes wholly or not at all. The header of redb fits into one.
const SECTOR: usize = 512;
/// Parts of [`Cut::luck`].
pub(crate) const LUCKY: u8 = 8;

/// How the power goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    /// How many writes, syncs and changes of length are done before the one in which it goes.
    pub(crate) after: u16,
    /// Of eight sectors that are not synced, how many are on the disk: none at 0, all at 8 (then only the program
    /// dies).
    pub(crate) luck: u8,
    /// Which ones.
    pub(crate) seed: u64,
}

/// Files on a disk: the database and its journal.
pub(crate) const FILES: usize = 2;

/// The disk, which outlives those who write to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    files: [File; FILES],
    /// Who may write: a program of an earlier life must not touch what a later one sees.
    life: u64,
    is_on: bool,
    cut: Option<Cut>,
}

/// Each file loses what it loses independently of the other; the power goes for both at once.
#[derive(Debug, Default)]
struct File {
    /// As the program reads it.
    bytes: Vec<u8>,
    /// How to come back to what was synced, the last change last.
    undo: Vec<Undo>,
    is_open: bool,
    lie: Option<u64>,
    /// How long it may become.
    limit: Option<u64>,
}

#[derive(Debug)]
enum Undo {
    Write { at: usize, old: Vec<u8> },
    Length { old: usize, new: usize, tail: Vec<u8> },
}

/// A file in one life of the disk: everything fails in it once its power went.
#[derive(Debug)]
struct Life {
    disk: Disk,
    number: u64,
    file: usize,
}

impl Disk {
    /// A disk with these bytes, synced.
    pub(crate) fn with(bytes: [Vec<u8>; FILES]) -> Self {
        let files = bytes.map(|bytes| File { bytes, ..File::default() });
        Self(Arc::new(Mutex::new(Platter { files, ..Platter::default() })))
    }

    /// What is synced or not yet lost.
    pub(crate) fn bytes(&self) -> [Vec<u8>; FILES] {
        let platter = self.lock();
        [0, 1].map(|file: usize| platter.files[file].bytes.clone())
    }

    /// From now on the disk forgets half of all syncs of a file, and all that came after the last one that it did not.
    pub(crate) fn lie(&self, file: usize, seed: u64) {
        self.lock().files[file].lie = Some(seed);
    }

    /// From now on there is no room for more of a file.
    pub(crate) fn limit(&self, file: usize, length: u64) {
        self.lock().files[file].limit = Some(length);
    }

    /// Lets the power go later, or not at all.
    pub(crate) fn arm(&self, cut: Option<Cut>) {
        self.lock().cut = cut;
    }

    /// Forgets everything.
    pub(crate) fn wipe(&self) {
        let mut platter = self.lock();
        for file in &mut platter.files {
            file.bytes.clear();
            file.undo.clear();
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.lock().is_on
    }

    /// Turns the power on. Whoever used the disk before has closed it.
    pub(crate) fn power_on(&self) -> [impl StorageBackend + use<>; FILES] {
        let mut platter = self.lock();
        for file in &mut platter.files {
            assert!(!file.is_open, "the disk is still open in its former life");
            file.is_open = true;
        }
        platter.is_on = true;
        platter.life += 1;
        [0, 1].map(|file| Life { disk: self.clone(), number: platter.life, file })
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Platter {
    /// Whether the power goes at this access.
    fn goes(&mut self) -> bool {
        match &mut self.cut {
            None => false,
            Some(cut) if cut.after == 0 => true,
            Some(cut) => {
                cut.after -= 1;
                false
            }
        }
    }

    /// The power goes: each file loses what does not survive.
    fn go(&mut self) {
        self.is_on = false;
        let Some(Cut { luck, mut seed, .. }) = self.cut.take() else { return };
        for file in &mut self.files {
            file.lose(luck, &mut seed);
        }
    }
}

impl File {
    fn write(&mut self, at: usize, data: &[u8]) {
        let end = at + data.len();
        if end > self.bytes.len() {
            self.set_len(end);
        }
        self.undo.push(Undo::Write { at, old: self.bytes[at..end].to_vec() });
        self.bytes[at..end].copy_from_slice(data);
    }

    fn set_len(&mut self, new: usize) {
        let old = self.bytes.len();
        let tail = self.bytes.get(new..).unwrap_or_default().to_vec();
        self.undo.push(Undo::Length { old, new, tail });
        self.bytes.resize(new, 0);
    }

    fn sync(&mut self) {
        let forgets = self.lie.as_mut().is_some_and(|seed| next(seed).is_multiple_of(2));
        if !forgets {
            self.undo.clear();
        }
    }

    /// Undoes what does not survive, the newest change first.
    fn lose(&mut self, luck: u8, seed: &mut u64) {
        let luck = if self.lie.is_some() { 0 } else { luck };
        let mut survives = |of: u64| luck > 0 && (luck >= LUCKY || next(seed) % of < luck.into());
        let undo = std::mem::take(&mut self.undo);
        let mut lengths = undo.iter().filter(|undo| matches!(undo, Undo::Length { .. })).count();
        let mut kept = 0;
        while kept < lengths && survives(u64::from(LUCKY)) {
            kept += 1;
        }
        let mut settled = Vec::new();
        // What lies behind it was cut off for good.
        let mut end = usize::MAX;
        for undo in undo.into_iter().rev() {
            match undo {
                Undo::Length { old, new, tail } => {
                    lengths -= 1;
                    if lengths < kept {
                        end = end.min(new);
                    } else {
                        self.bytes.resize(old, 0);
                        self.bytes[old - tail.len()..].copy_from_slice(&tail);
                    }
                }
                Undo::Write { at, old } => {
                    let mut from = at;
                    while from < at + old.len() {
                        let sector = from / SECTOR;
                        let to = ((sector + 1) * SECTOR).min(at + old.len());
                        if settled.len() <= sector {
                            settled.resize(sector + 1, false);
                        }
                        if !settled[sector] && to <= end {
                            settled[sector] = survives(u64::from(LUCKY));
                            if !settled[sector] && to <= self.bytes.len() {
                                self.bytes[from..to].copy_from_slice(&old[from - at..to - at]);
                            }
                        }
                        from = to;
                    }
                }
            }
        }
    }
}

/// The next number of a sequence (SplitMix64).
pub(crate) fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

impl Life {
    fn platter(&self) -> Result<MutexGuard<'_, Platter>, io::Error> {
        let platter = self.disk.lock();
        if platter.is_on && platter.life == self.number {
            return Ok(platter);
        }
        Err(off())
    }

    /// Does something; at the cut it is done too, and then it survives or does not.
    fn change(&self, act: impl FnOnce(&mut File)) -> Result<(), io::Error> {
        let mut platter = self.platter()?;
        act(&mut platter.files[self.file]);
        if platter.goes() {
            platter.go();
            return Err(off());
        }
        Ok(())
    }
}

impl Life {
    fn end(&self) {
        let mut platter = self.disk.lock();
        if platter.life == self.number {
            platter.files[self.file].is_open = false;
        }
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl StorageBackend for Life {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.platter()?.files[self.file].bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let platter = self.platter()?;
        let bytes = &platter.files[self.file].bytes;
        let from = bytes.get(place(offset)..).and_then(|bytes| bytes.get(..out.len()));
        out.copy_from_slice(from.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        if self.platter()?.files[self.file].limit.is_some_and(|limit| len > limit) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.change(|file| file.set_len(place(len)))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.change(|file| file.write(place(offset), data))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut platter = self.platter()?;
        if platter.goes() {
            // Half of the time before it is done, half of the time before anybody is told.
            if platter.cut.is_some_and(|cut| cut.seed.is_multiple_of(2)) {
                platter.files[self.file].sync();
            }
            platter.go();
            return Err(off());
        }
        platter.files[self.file].sync();
        Ok(())
    }

    fn close(&self) -> Result<(), io::Error> {
        self.end();
        Ok(())
    }
}

/// A start that fails early drops the disk without closing it.
impl Drop for Life {
    fn drop(&mut self) {
        self.end();
    }
}
