//! Alerts that have begun and not ended.

use crate::domain::{Alert, Timestamp, Trouble};
use crate::store::engine::{ALL, Error, Key, Rows, Table, Tail, WriteTx, leading_name};

fn key(trouble: Trouble, name: &str) -> Key {
    Key::new().name(trouble.as_str()).text(name)
}

/// Reading alerts.
pub trait AlertReads {
    /// All alerts that have begun and not ended.
    fn alerts(&self) -> Result<Vec<Alert>, Error>;
}

impl<R: Rows> AlertReads for R {
    fn alerts(&self) -> Result<Vec<Alert>, Error> {
        self.list(Table::Alert, &Key::new(), ALL, stored)
    }
}

/// A stored alert.
pub(crate) fn stored(key: &[u8], value: &[u8]) -> Result<Alert, Error> {
    let wrong = || Error::Corrupt("it is not an alert".to_owned());
    let (word, name) = leading_name(key).ok_or_else(wrong)?;
    let trouble = Trouble::ALL.into_iter().find(|known| known.as_str() == word);
    if value.len() != 8 {
        return Err(wrong());
    }
    Ok(Alert {
        trouble: trouble.ok_or_else(wrong)?,
        name: String::from_utf8_lossy(name).into_owned(),
        since: Timestamp::from_micros(Tail(value).number().cast_signed()),
    })
}

impl WriteTx<'_> {
    /// An alert begins.
    pub fn put_alert(&mut self, alert: &Alert) -> Result<(), Error> {
        let since = alert.since.as_micros().to_be_bytes();
        self.put(Table::Alert, &key(alert.trouble, &alert.name), &since)
    }

    /// An alert ends.
    pub fn remove_alert(&mut self, alert: &Alert) -> Result<(), Error> {
        self.remove(Table::Alert, &key(alert.trouble, &alert.name)).map(|_| ())
    }
}
