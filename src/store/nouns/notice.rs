//! Notices: those that wait to be sent, and those that were given up.

use serde::{Deserialize, Serialize};

use crate::domain::{Form, Message, Notice, Timestamp};
use crate::store::engine::codec::first_version;
use crate::store::engine::{Error, Key, Rows, Table, Tail, WriteTx, codec, meta};

/// A notice; its number is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NoticeV1 {
    /// 0 an event, 1 an alert in JSON, 2 an alert in plain text.
    pub(super) form: u8,
    pub(super) url: String,
    pub(super) body: String,
    pub(super) at: i64,
    pub(super) tries: u32,
    pub(super) next_at: i64,
    pub(super) error: String,
}
first_version!(NoticeV1, 15);

/// Where notices are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tray {
    /// They wait to be sent.
    Waiting,
    /// They were given up.
    Dead,
}

impl Tray {
    const fn table(self) -> Table {
        match self {
            Self::Waiting => Table::Notice,
            Self::Dead => Table::DeadNotice,
        }
    }

    /// What says how many bytes they have together.
    const fn bytes(self) -> &'static str {
        match self {
            Self::Waiting => "notice-bytes",
            Self::Dead => "dead-notice-bytes",
        }
    }
}

/// Reading notices.
pub trait NoticeReads {
    /// The notice with this number.
    fn notice(&self, tray: Tray, number: u64) -> Result<Option<Notice>, Error>;
    /// The next `limit` after the one with the number `after`, oldest first.
    fn notices_after(&self, tray: Tray, after: u64, limit: usize) -> Result<Vec<Notice>, Error>;
    /// How many there are, and their bytes together.
    fn notices_size(&self, tray: Tray) -> Result<(u64, u64), Error>;
}

impl<R: Rows> NoticeReads for R {
    fn notice(&self, tray: Tray, number: u64) -> Result<Option<Notice>, Error> {
        let key = Key::new().number(number);
        self.get(tray.table(), &key)?.map(|value| stored(key.as_slice(), &value)).transpose()
    }

    fn notices_after(&self, tray: Tray, after: u64, limit: usize) -> Result<Vec<Notice>, Error> {
        self.list(tray.table(), &Key::new(), (Some(after), limit), stored)
    }

    fn notices_size(&self, tray: Tray) -> Result<(u64, u64), Error> {
        match self.count(tray.table())? {
            // A backup without secrets has the number and no notices.
            0 => Ok((0, 0)),
            count => Ok((count, meta::number(self, tray.bytes())?.unwrap_or(0))),
        }
    }
}

/// A stored notice.
pub(crate) fn stored(key: &[u8], value: &[u8]) -> Result<Notice, Error> {
    let record: NoticeV1 = codec::decode(value)?;
    Ok(Notice {
        number: Tail(key).number(),
        message: Message {
            form: match record.form {
                0 => Form::Event,
                1 => Form::Json,
                2 => Form::Text,
                code => return Err(Error::Corrupt(format!("notice: form {code}"))),
            },
            url: record.url,
            body: record.body,
        },
        at: Timestamp::from_micros(record.at),
        tries: record.tries,
        next_at: Timestamp::from_micros(record.next_at),
        error: record.error,
    })
}

impl WriteTx<'_> {
    /// Writes a notice, which may be there already.
    pub fn put_notice(&mut self, tray: Tray, notice: &Notice) -> Result<(), Error> {
        self.remove_notice(tray, notice.number)?;
        let record = NoticeV1 {
            form: match notice.message.form {
                Form::Event => 0,
                Form::Json => 1,
                Form::Text => 2,
            },
            url: notice.message.url.clone(),
            body: notice.message.body.clone(),
            at: notice.at.as_micros(),
            tries: notice.tries,
            next_at: notice.next_at.as_micros(),
            error: notice.error.clone(),
        };
        self.put_record(tray.table(), &Key::new().number(notice.number), &record)?;
        let (_, bytes) = self.notices_size(tray)?;
        self.set_number(tray.bytes(), bytes + notice.message.size())
    }

    /// Removes a notice, and gives it.
    pub fn remove_notice(&mut self, tray: Tray, number: u64) -> Result<Option<Notice>, Error> {
        let Some(notice) = self.notice(tray, number)? else { return Ok(None) };
        self.remove(tray.table(), &Key::new().number(number))?;
        let (_, bytes) = self.notices_size(tray)?;
        self.set_number(tray.bytes(), bytes.saturating_sub(notice.message.size()))?;
        Ok(Some(notice))
    }
}
