//! Queues as agents advertise them, and their images.

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{Advertised, QueueName, Timestamp};
use crate::store::engine::codec::first_version;
use crate::store::engine::{Error, IndexRow, Rows, Table, WriteTx, codec};

/// A queue that agents advertised; its name is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct QueueV1 {
    pub(super) description: String,
    /// When it was last advertised; `None` for one that only images were posted for, which upstream never expires.
    pub(super) updated_at: Option<i64>,
}
first_version!(QueueV1, 7);

/// What can be read of queues.
pub trait QueueReads {
    /// The queue with this name, if it was advertised.
    fn advertised(&self, name: &QueueName) -> Result<Option<Advertised>, Error>;
    /// The next `limit` advertised queues after the one named `after`, by name.
    fn advertised_after(
        &self,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Result<Vec<Advertised>, Error>;
    /// The images of a queue: a JSON object of names and provision data.
    fn images(&self, name: &QueueName) -> Result<Option<String>, Error>;
}

impl<R: Rows> QueueReads for R {
    fn advertised(&self, name: &QueueName) -> Result<Option<Advertised>, Error> {
        let record = self.record(Table::Queue, &name.key())?;
        Ok(record.map(|record| queue(name.clone(), record)))
    }

    fn advertised_after(
        &self,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Result<Vec<Advertised>, Error> {
        self.list_names(Table::Queue, after.map(QueueName::as_str), limit, |name, value| {
            Ok(queue(QueueName::trusted(name), codec::decode(value)?))
        })
    }

    fn images(&self, name: &QueueName) -> Result<Option<String>, Error> {
        let value = self.get(Table::Image, &name.key())?;
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn queue(name: QueueName, record: QueueV1) -> Advertised {
    Advertised {
        name,
        description: record.description,
        updated_at: record.updated_at.map(Timestamp::from_micros),
    }
}

/// The index rows of a stored queue.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    Ok(queue(QueueName::stored(key)?, codec::decode(value)?).index_rows())
}

impl Advertised {
    fn index_rows(&self) -> Vec<IndexRow> {
        self.updated_at
            .map(|at| {
                (Table::Expiry, Kind::Queue.key(at, self.name.as_str().as_bytes()), Vec::new())
            })
            .into_iter()
            .collect()
    }
}

impl WriteTx<'_> {
    /// Advertises a queue, or replaces what was said about it.
    pub fn put_advertised(&mut self, queue: &Advertised) -> Result<(), Error> {
        let old = self.advertised(&queue.name)?;
        let before = old.as_ref().map(Advertised::index_rows).unwrap_or_default();
        self.replace_rows(&before, &queue.index_rows())?;
        let record = QueueV1 {
            description: queue.description.clone(),
            updated_at: queue.updated_at.map(Timestamp::as_micros),
        };
        self.put_record(Table::Queue, &queue.name.key(), &record)
    }

    /// Forgets an advertised queue and its images. Its jobs stay.
    pub fn remove_advertised(&mut self, queue: &Advertised) -> Result<(), Error> {
        self.replace_rows(&queue.index_rows(), &[])?;
        self.remove(Table::Image, &queue.name.key())?;
        self.remove(Table::Queue, &queue.name.key())?;
        Ok(())
    }

    /// Replaces the images of a queue.
    pub fn put_images(&mut self, name: &QueueName, images: &str) -> Result<(), Error> {
        self.put(Table::Image, &name.key(), images.as_bytes())
    }
}
