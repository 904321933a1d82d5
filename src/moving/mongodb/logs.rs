//! `logs`, and the text that nobody has read: `output` and `serial_output`.

use super::super::load::taken;
use super::{Document, Fields, Move, Stop};
use crate::domain::{Fragment, JobId, Log, LogKind, Phase, Timestamp};

impl Move<'_> {
    /// Whether what belongs to a job is taken; else it is noted.
    pub(super) fn may_have(&mut self, collection: &str, job: JobId) -> bool {
        let barred = self.barred.get(&job).copied();
        if let Some((outcome, why)) = barred {
            self.load.note(collection, &job.to_string(), outcome, why);
        }
        barred.is_none()
    }

    pub(super) fn fragment(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        const LOGS: &str = "logs";
        let (log, fragment, at) = fragment(fields, self.now)?;
        if !self.may_have(LOGS, log.0) {
            return Ok(());
        }
        self.load.step((LOGS, log.0.to_string()), fields.size(), move |tx| {
            tx.append_log(log, &fragment, at)?;
            Ok(taken())
        })?;
        Ok(())
    }

    pub(super) fn output(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        self.unread("output", LogKind::Output, fields)
    }

    pub(super) fn serial_output(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        self.unread("serial_output", LogKind::Serial, fields)
    }

    fn unread(
        &mut self,
        collection: &'static str,
        kind: LogKind,
        fields: &Fields<'_>,
    ) -> Result<(), Stop> {
        let id = fields.text("job_id").as_deref().and_then(JobId::from_path);
        let (Some(id), Some(pieces)) = (id, fields.texts(collection)) else {
            return Err("it has no text, or a job_id that is not a UUID".into());
        };
        if !self.may_have(collection, id) {
            return Ok(());
        }
        let at = fields.moment("updated_at").at().unwrap_or(self.now).min(self.now);
        let log = Log(id, kind);
        self.load.step((collection, id.to_string()), fields.size() * 2, move |tx| {
            // An earlier dump had the first of them.
            let have = usize::try_from(tx.drained_pieces(log)?).unwrap_or(usize::MAX);
            let new = pieces.get(have..).unwrap_or_default();
            if !new.is_empty() {
                tx.append_drain(log, new, at)?;
            }
            Ok(taken())
        })?;
        Ok(())
    }
}

fn fragment(fields: &Fields<'_>, now: Timestamp) -> Result<(Log, Fragment, Timestamp), String> {
    let id = fields.text("job_id").as_deref().and_then(JobId::from_path);
    let id = id.ok_or("job_id is not a UUID")?;
    let kind = fields.text("log_type").as_deref().and_then(LogKind::parse);
    let phase = fields.text("phase").as_deref().and_then(Phase::parse);
    let written_at = fields.moment("updated_at").at().unwrap_or(now).min(now);
    let fragment = Fragment {
        number: Some(fields.int("fragment_number").ok_or("fragment_number is missing")?),
        phase: phase.ok_or("there is no such phase")?,
        at: fields.moment("timestamp").at().unwrap_or(written_at),
        text: fields.text("log_data").ok_or("log_data is missing")?,
    };
    Ok((Log(id, kind.ok_or("there is no such log_type")?), fragment, written_at))
}
