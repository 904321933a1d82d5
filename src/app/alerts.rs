//! Judges what is wrong, once for all who say it: the status, the metrics, the pages and the alerts.

use super::{App, Result, Unready};
use crate::domain::{Form, Message, Timestamp, Trouble};
use crate::ops::{self, Hearing, Told};
use crate::store::ReadTx;

/// Where alerts go.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Where to.
    pub url: String,
    /// As JSON or as plain text.
    pub form: Form,
}

impl App {
    /// Compares what is wrong now with what was said, and sends the difference.
    ///
    /// # Errors
    /// What the store says.
    pub async fn look_for_trouble(&self, alerts: &Alerts) -> Result<()> {
        let (app, Alerts { url, form }) = (self.clone(), alerts.clone());
        let troubles = self.scan(move |tx| app.troubles(tx)).await?;
        self.write(move |tx, now| {
            ops::settle_alerts(tx, now, &troubles, |told| Message {
                form,
                url: url.clone(),
                body: body(form, told, now),
            })
        })
        .await?;
        self.new_notices();
        Ok(())
    }

    /// Everything that needs a person now, with the agent or queue that it is about, if it is about one.
    pub(super) fn troubles(
        &self,
        tx: &ReadTx,
    ) -> std::result::Result<Vec<(Trouble, String)>, ops::Error> {
        let hearing = Hearing { silence: self.0.parts.lost_after, ..self.hearing() };
        let mut found = ops::lab_troubles(tx, self.now(), &hearing)?;
        let server = self.server_troubles(tx)?;
        found.extend(server.into_iter().map(|trouble| (trouble, String::new())));
        Ok(found)
    }

    /// What is wrong with the server itself. A new kind of trouble is a line here, and a [`Trouble`].
    ///
    /// # Errors
    /// What the store says.
    pub fn server_troubles(&self, tx: &ReadTx) -> std::result::Result<Vec<Trouble>, ops::Error> {
        let (now, unready, oldest) = (self.now(), self.unready(), self.0.parts.backup_age);
        let backup = self.verified_backup();
        let is_old = backup.as_ref().is_none_or(|note| now.since(note.at()) > oldest);
        let found = [
            (unready.contains(&Unready::Disk), Trouble::DiskReserve),
            (unready.contains(&Unready::Gone), Trouble::DataGone),
            (is_old && !oldest.is_zero(), Trouble::BackupOld),
            (backup.is_some_and(|note| note.missing > 0), Trouble::BackupIncomplete),
            (ops::held_since(tx, now)?.is_some(), Trouble::ClockJumped),
        ];
        Ok(found.into_iter().filter_map(|(is_so, trouble)| is_so.then_some(trouble)).collect())
    }
}

/// What is sent: a sentence as plain text, or as the member `text` of a JSON object, which chats show.
fn body(form: Form, told: &Told, now: Timestamp) -> String {
    match form {
        Form::Text => told.sentence(),
        Form::Json | Form::Event => serde_json::json!({
            "alert": told.trouble.as_str(),
            "at": now.to_string(),
            "names": told.named(),
            "state": if told.begins { "begins" } else { "ends" },
            "text": told.sentence(),
        })
        .to_string(),
    }
}
