//! Looks at what is wrong with the lab, and sends alerts about it.

use std::fmt::Write;
use std::time::Duration;

use super::{App, Result};
use crate::domain::{Form, Message, Timestamp, Trouble};
use crate::ops::{self, Told};

/// How many agents or queues a message names.
const NAMED: usize = 20;

/// Where alerts go, and what is one.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Where to.
    pub url: String,
    /// As JSON or as plain text.
    pub form: Form,
    /// How long an agent may be silent.
    pub lost_after: Duration,
    /// How old the last backup may be; zero for any age.
    pub backup_age: Duration,
}

impl App {
    /// Compares what is wrong now with what was said, and sends the difference.
    ///
    /// # Errors
    /// What the store says.
    pub async fn look_for_trouble(&self, alerts: &Alerts) -> Result<()> {
        let (app, all) = (self.clone(), alerts.clone());
        let troubles = self.scan(move |tx| app.troubles(tx, &all)).await?;
        let (url, form) = (alerts.url.clone(), alerts.form);
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

    /// Everything that is wrong now. A new kind of alert is a line here, and a [`Trouble`].
    fn troubles(
        &self,
        tx: &crate::store::ReadTx,
        alerts: &Alerts,
    ) -> std::result::Result<Vec<(Trouble, String)>, ops::Error> {
        let now = self.now();
        let mut found = ops::lab_troubles(tx, now, alerts.lost_after, |agent| {
            self.presence().last_heard(&agent.name)
        })?;
        let mut server = |is_so: bool, trouble| {
            if is_so {
                found.push((trouble, String::new()));
            }
        };
        let reserve = self.limits().disk_reserve;
        server(self.store().blobs().check_room(reserve).is_err(), Trouble::DiskReserve);
        let newest = self.backups().into_iter().find(|note| note.verified);
        let since = newest.map_or(self.0.began, |note| note.at());
        let age = alerts.backup_age;
        server(!age.is_zero() && now.since(since) >= age, Trouble::BackupOld);
        server(ops::held_since(tx, now)?.is_some(), Trouble::ClockJumped);
        Ok(found)
    }
}

/// What is sent: a sentence as plain text, or as the member `text` of a JSON object, which chats show.
fn body(form: Form, told: &Told, now: Timestamp) -> String {
    let (begins, ends) = told.trouble.sentences();
    let mut text = if told.begins { begins } else { ends }.to_owned();
    if !told.names.is_empty() {
        let named: Vec<&str> = told.names.iter().take(NAMED).map(String::as_str).collect();
        let _ = write!(text, ": {}", named.join(", "));
        if let more @ 1.. = told.names.len() - named.len() {
            let _ = write!(text, " and {more} more");
        }
    }
    match form {
        Form::Text => text,
        Form::Json | Form::Event => serde_json::json!({
            "alert": told.trouble.as_str(),
            "at": now.to_string(),
            "names": told.names.iter().take(NAMED).collect::<Vec<_>>(),
            "state": if told.begins { "begins" } else { "ends" },
            "text": text,
        })
        .to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_short_however_much_is_wrong() {
        let names = (0..1000).map(|n| format!("a{n}")).collect();
        let told = Told { trouble: Trouble::AgentLost, begins: true, names };
        let text = body(Form::Text, &told, Timestamp::default());
        assert!(text.starts_with("Agents are lost: a0, a1, ") && text.ends_with(" and 980 more"));
        let json: serde_json::Value =
            serde_json::from_str(&body(Form::Json, &told, Timestamp::default())).unwrap();
        assert_eq!((json["text"].as_str(), json["state"].as_str()), (Some(&*text), Some("begins")));
    }
}
